//! Tests of the gate for token ids.

use std::path::{Path, PathBuf};

use super::*;

const HOSTILE: [i64; 9] = [
    256,
    257,
    i32::MAX as i64,
    i32::MAX as i64 + 1,
    u32::MAX as i64,
    -1,
    i32::MIN as i64,
    i64::MIN,
    i64::MAX,
];

fn table(entries: usize) -> Tensor<2> {
    let values: Vec<f32> = (0..2 * entries).map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, [entries, 2]), &Device::flex())
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn ids_outside_the_vocabulary_are_refused_with_their_place() {
    for hostile in HOSTILE {
        let refused = TokenBatch::new(&[1, 255, hostile, 3], 2, 256);
        let expected = TokenError::OutOfRange {
            token: hostile,
            position: 2,
            vocabulary: 256,
        };
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn a_vocabulary_beyond_the_device_s_integers_lets_no_id_wrap() {
    let token = i64::from(i32::MAX) + 1;
    let refused = TokenBatch::new(&[token], 1, u32::MAX);
    assert!(matches!(refused, Err(TokenError::OutOfRange { .. })));
}

#[test]
fn ids_must_fill_rows() {
    for (ids, columns) in [(&[1, 2, 3][..], 2), (&[], 2), (&[1], 0)] {
        let refused = TokenBatch::new(ids, columns, 256);
        assert!(matches!(refused, Err(TokenError::Ragged { .. })));
    }
}

#[test]
fn ids_are_looked_up_row_after_row() {
    let batch = TokenBatch::new(&[1, 2, 3, 255, 0, 6], 3, 256).unwrap();
    let found = batch.rows_of(table(256)).unwrap();
    assert_eq!(found.dims(), [6, 2]);
    let expected = [
        2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 510.0, 511.0, 0.0, 1.0, 12.0, 13.0,
    ];
    assert_eq!(values(found), expected);
    let picked = TokenBatch::new(&[1, 0, 1], 3, 2).unwrap();
    assert_eq!(values(picked.scores_in(table(3)).unwrap()), [1.0, 2.0, 5.0]);
}

#[test]
fn a_table_smaller_than_the_vocabulary_is_refused_whatever_the_ids() {
    let batch = TokenBatch::new(&[0, 1], 2, 256).unwrap();
    let small = TokenError::Table {
        vocabulary: 256,
        entries: 255,
    };
    assert_eq!(batch.rows_of(table(255)).unwrap_err(), small);
    let small = TokenError::Table {
        vocabulary: 256,
        entries: 2,
    };
    assert_eq!(batch.scores_in(table(2)).unwrap_err(), small);
}

#[test]
fn scores_must_have_a_row_for_each_id() {
    let batch = TokenBatch::new(&[0, 1], 2, 2).unwrap();
    let short = TokenError::Rows { tokens: 2, rows: 3 };
    assert_eq!(batch.scores_in(table(3)).unwrap_err(), short);
}

/// Everything of Burn that makes integers for a device, or uses them as addresses there.
const INTEGERS: [&str; 19] = [
    "Int",
    ".int()",
    "from_ints",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "argtopk",
    "topk",
    "sort_with_indices",
    "one_hot",
    "nonzero",
    "argwhere",
    "select(",
    "select_assign",
    "gather(",
    "gather_nd",
    "scatter",
    "embedding(",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Tells whether a line of code names Burn's integers.
fn names_integers(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let starts_a_word = |at: usize| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    };
    let ends_a_word = |end: usize| {
        let after = code[end..].chars().next();
        !after.is_some_and(|after| after.is_alphanumeric() || after == '_')
    };
    INTEGERS.iter().any(|word| {
        code.match_indices(word).any(|(at, _)| match *word {
            "Int" => starts_a_word(at) && ends_a_word(at + word.len()),
            _ => true,
        })
    })
}

#[test]
fn only_the_gate_names_burn_s_integers() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    assert!(files.len() > 20, "the sources are found");
    let gate = Path::new("src/tokens.rs");
    let is_test = |path: &Path| path.ends_with("tests.rs");
    let mut offenders = Vec::new();
    let mut of_the_gate = 0;
    for path in files.iter().filter(|path| !is_test(path)) {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| names_integers(line));
        match path.ends_with(gate) {
            true => of_the_gate += lines.count(),
            false => offenders.extend(lines.map(|line| format!("{}: {line}", path.display()))),
        }
    }
    assert!(of_the_gate >= 4, "the search finds what it looks for");
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn the_search_knows_integers_from_other_words() {
    for line in [
        "let x: Tensor<2, Int> = y;",
        "a.gather(1, ids)",
        "use burn::tensor::Int;",
        "let likeliest = scores.argmax(1);",
    ] {
        assert!(names_integers(line), "{line}");
    }
    for line in [
        "// Int",
        "Internal",
        "UInt64",
        "let x = inputs.take(&name)?;",
    ] {
        assert!(!names_integers(line), "{line}");
    }
}
