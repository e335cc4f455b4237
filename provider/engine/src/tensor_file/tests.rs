//! Tests of the strict reader: every way of lying has its own refusal, and each names the file and the field.

use proptest::prelude::{any, prop, proptest};
use safetensors::tensor::{Dtype, TensorView};

use super::*;

const FILE: &str = "model.safetensors";

fn expected() -> Vec<Expected> {
    let tensor = |name: &str, shape: &[usize]| Expected {
        name: name.to_owned(),
        shape: shape.to_vec(),
    };
    vec![tensor("a", &[2, 3]), tensor("b", &[4])]
}

/// Builds a file from a header of any content.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

const A: &str = r#""a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}"#;
const B: &str = r#""b":{"dtype":"F32","shape":[4],"data_offsets":[24,40]}"#;

fn good() -> String {
    format!("{{{A},{B}}}")
}

fn read(bytes: &[u8]) -> Result<Vec<f32>, TensorFileError> {
    let file = TensorFile::parse(FILE, bytes)?;
    file.check(&expected())?;
    let mut values = file.values("a")?;
    values.extend(file.values("b")?);
    Ok(values)
}

fn problem(header: &str, data: &[u8]) -> TensorFileProblem {
    let error = read(&file(header, data)).unwrap_err();
    assert!(
        error.to_string().starts_with("model.safetensors: "),
        "{error}"
    );
    error.problem
}

#[test]
fn a_good_file_is_read_in_whichever_order_its_header_is() {
    let numbers: Vec<f32> = (0..10).map(|value| value as f32 / 3.0).collect();
    let data = to_bytes(&numbers);
    for header in [
        good(),
        format!("{{{B},{A}}}"),
        format!(r#"{{"__metadata__":{{"format":"pt"}},{A},{B}}}"#),
        format!("{}   ", good()),
    ] {
        assert_eq!(read(&file(&header, &data)).unwrap(), numbers, "{header}");
    }
}

#[test]
fn what_the_public_crate_writes_is_read() {
    let data = to_bytes(&[1.0; 10]);
    let views = [
        (
            "b",
            TensorView::new(Dtype::F32, vec![4], &data[24..]).unwrap(),
        ),
        (
            "a",
            TensorView::new(Dtype::F32, vec![2, 3], &data[..24]).unwrap(),
        ),
    ];
    let bytes = safetensors::serialize(views, None).unwrap();
    assert_eq!(read(&bytes).unwrap(), [1.0; 10]);
}

#[test]
fn header_lengths_that_lie_are_refused_before_memory_is_taken() {
    for length in [0, u64::MAX, 1 << 63, 1 << 40, MAX_HEADER_BYTES + 1, 10_000] {
        let mut bytes = file(&good(), &[0; 40]);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        let error = read(&bytes).unwrap_err();
        let matched = matches!(error.problem, TensorFileProblem::HeaderLength { length: said, .. } if said == length);
        assert!(matched, "{length}: {error}");
    }
    for short in 0..9 {
        let error = read(&file(&good(), &[])[..short]).unwrap_err();
        assert!(
            matches!(error.problem, TensorFileProblem::HeaderLength { .. }),
            "{short}: {error}"
        );
    }
}

#[test]
fn names_that_occur_twice_are_refused() {
    for header in [format!("{{{A},{A}}}"), format!("{{{A},{B},{A}}}")] {
        let problem = problem(&header, &[0; 40]);
        assert!(
            matches!(&problem, TensorFileProblem::Duplicate { name } if name == "a"),
            "{problem}"
        );
    }
    let texts = format!(r#"{{"__metadata__":{{"x":"1","x":"2"}},{A},{B}}}"#);
    assert!(matches!(
        problem(&texts, &[0; 40]),
        TensorFileProblem::Duplicate { .. }
    ));
    let twice = format!(r#"{{"__metadata__":{{}},"__metadata__":{{}},{A},{B}}}"#);
    let refused = problem(&twice, &[0; 40]).to_string();
    assert!(
        refused.contains("duplicate field `__metadata__`"),
        "{refused}"
    );
    let field = r#"{"a":{"dtype":"F32","dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let refused = problem(field, &[0; 24]).to_string();
    assert!(refused.contains("duplicate field `dtype`"), "{refused}");
}

#[test]
fn unknown_and_missing_fields_are_refused_by_name() {
    for (entry, words) in [
        (
            r#"{"dtype":"F32","shape":[2,3],"data_offsets":[0,24],"code":"x"}"#,
            "unknown field `code`",
        ),
        (
            r#"{"dtype":"F32","data_offsets":[0,24]}"#,
            "missing field `shape`",
        ),
        (
            r#"{"dtype":7,"shape":[2,3],"data_offsets":[0,24]}"#,
            "invalid type",
        ),
        (
            r#"{"dtype":"F32","shape":[-1,3],"data_offsets":[0,24]}"#,
            "invalid value",
        ),
        (
            r#"{"dtype":"F32","shape":[2,1e30],"data_offsets":[0,24]}"#,
            "invalid type",
        ),
        (
            r#"{"dtype":"F32","shape":[2,3],"data_offsets":[0,24,9]}"#,
            "trailing characters",
        ),
        (
            r#"{"dtype":"F32","shape":[2,3],"data_offsets":[0]}"#,
            "invalid length",
        ),
    ] {
        let problem = problem(&format!(r#"{{"a":{entry},{B}}}"#), &[0; 40]);
        assert!(matches!(problem, TensorFileProblem::Header(_)), "{problem}");
        assert!(problem.to_string().contains(words), "{problem}");
    }
}

#[test]
fn shapes_whose_product_overflows_are_refused_as_the_shapes_they_are() {
    for shape in [
        "[18446744073709551615,18446744073709551615]",
        "[4294967296,4294967296]",
        "[2,3,18446744073709551615]",
        "[]",
        "[6]",
        "[3,2]",
    ] {
        let header =
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,24]}},{B}}}"#);
        let problem = problem(&header, &[0; 40]);
        assert!(
            matches!(&problem, TensorFileProblem::Shape { name, .. } if name == "a"),
            "{problem}"
        );
    }
}

#[test]
fn offsets_that_overlap_leave_gaps_or_lie_outside_are_refused() {
    for (a, b) in [
        ("[0,24]", "[0,16]"),
        ("[0,24]", "[20,36]"),
        ("[0,24]", "[25,41]"),
        ("[1,25]", "[25,41]"),
        ("[24,0]", "[24,40]"),
        ("[0,24]", "[24,400]"),
        ("[0,24]", "[24,18446744073709551615]"),
        ("[0,20]", "[20,40]"),
        ("[18446744073709551608,16]", "[24,40]"),
    ] {
        let header = format!(
            r#"{{"a":{{"dtype":"F32","shape":[2,3],"data_offsets":{a}}},"b":{{"dtype":"F32","shape":[4],"data_offsets":{b}}}}}"#
        );
        let problem = problem(&header, &[0; 40]);
        assert!(
            matches!(problem, TensorFileProblem::Offsets { .. }),
            "{a} {b}: {problem}"
        );
    }
}

#[test]
fn bytes_too_few_or_too_many_are_refused() {
    for length in [0, 39, 41, 4_000] {
        let problem = problem(&good(), &vec![0; length]);
        let matched = matches!(problem, TensorFileProblem::DataLength { actual, expected: 40 } if actual == length as u64);
        assert!(matched, "{length}: {problem}");
    }
}

#[test]
fn tensors_too_few_too_many_or_strange_are_refused() {
    let c = r#""c":{"dtype":"F32","shape":[4],"data_offsets":[24,40]}"#;
    assert!(matches!(
        problem(&format!("{{{A}}}"), &[0; 24]),
        TensorFileProblem::TensorCount {
            actual: 1,
            expected: 2
        }
    ));
    assert!(matches!(
        problem("{}", &[]),
        TensorFileProblem::TensorCount { .. }
    ));
    assert!(matches!(
        problem(&format!("{{{A},{B},{c}}}"), &[0; 40]),
        TensorFileProblem::TensorCount { .. }
    ));
    let strange = problem(&format!("{{{A},{c}}}"), &[0; 40]);
    assert!(
        matches!(&strange, TensorFileProblem::Missing { name } if name == "b"),
        "{strange}"
    );
}

#[test]
fn integers_and_halves_are_refused_whatever_they_hold() {
    for dtype in [
        "I64",
        "I32",
        "F16",
        "BF16",
        "U8",
        "BOOL",
        "f32",
        &"F".repeat(10_000),
    ] {
        let header =
            format!(r#"{{"a":{{"dtype":"{dtype}","shape":[2,3],"data_offsets":[0,24]}},{B}}}"#);
        let mut data = [0; 40];
        data[..4].copy_from_slice(&i32::MAX.to_le_bytes());
        let problem = problem(&header, &data);
        assert!(
            matches!(&problem, TensorFileProblem::Type { name, .. } if name == "a"),
            "{problem}"
        );
        assert!(problem.to_string().len() < 200, "a hostile text is cut");
    }
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    for hostile in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut data = [0; 40];
        data[36..].copy_from_slice(&hostile.to_le_bytes());
        let problem = problem(&good(), &data);
        assert!(
            matches!(&problem, TensorFileProblem::NotFinite { name } if name == "b"),
            "{problem}"
        );
    }
}

#[test]
fn deep_nesting_ends_in_an_error_and_not_in_a_full_stack() {
    for (open, depth) in [("[", 500_000), ("{\"a\":", 100_000)] {
        let problem = problem(&open.repeat(depth), &[]);
        assert!(matches!(problem, TensorFileProblem::Header(_)), "{problem}");
        let inside = format!(
            r#"{{"a":{{"dtype":"F32","shape":{},"data_offsets":[0,24]}},{B}}}"#,
            open.repeat(depth / 2)
        );
        assert!(TensorFile::parse(FILE, &file(&inside, &[])).is_err());
    }
}

#[test]
fn texts_that_mean_nothing_are_refused_where_all_are_known() {
    let header = format!(r#"{{"__metadata__":{{"step":"1","evil":"x"}},{A},{B}}}"#);
    let bytes = file(&header, &[0; 40]);
    let file = TensorFile::parse(FILE, &bytes).unwrap();
    assert_eq!(file.text("step"), Some("1"));
    let error = file.check_texts(&["step"]).unwrap_err();
    assert!(
        matches!(error.problem, TensorFileProblem::UnknownText { .. }),
        "{error}"
    );
    assert!(file.check_texts(&["step", "evil"]).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn random_headers_never_panic(header in "[\\[\\]{}\":,a-zA-Z0-9_]{0,200}") {
        assert!(read(&file(&header, &[0; 16])).is_err());
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0_usize..160, value: u8) {
        let mut bytes = file(&good(), &[0; 40]);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        let _ = read(&bytes);
    }
}
