//! Owns the proof that each rule sees what it is for: small bad texts that it must find, and good ones
//! that it must leave alone.
//!
//! Never looks at the workspace.

use std::collections::BTreeSet;

use super::documents::{self, Document};
use super::manifests::{self, Manifest};
use super::rules;
use super::source::{Finding, Source};

fn lines(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<String> {
    let findings = rule(&Source::new(path, text));
    let places = findings.iter().map(ToString::to_string);
    places
        .map(|place| place.split(": ").next().unwrap_or_default().to_owned())
        .collect()
}

fn function_of(lines: usize) -> String {
    format!(
        "//! x\nfn f<T>(a: [u8; 2]) -> T\nwhere\n{}{{\n}}\n",
        "    T: Copy,\n".repeat(lines - 4)
    )
}

#[test]
fn a_file_without_a_first_word_is_found() {
    let rule = rules::opens_with_what_it_owns;
    assert_eq!(lines(rule, "a.rs", "\n// x\nfn f() {}\n"), ["a.rs:1"]);
    assert!(lines(rule, "a.rs", "//! Owns x.\n").is_empty());
}

#[test]
fn a_long_function_is_found_at_its_first_line() {
    let rule = rules::functions_are_short;
    assert_eq!(lines(rule, "a.rs", &function_of(71)), ["a.rs:2"]);
    assert!(lines(rule, "a.rs", &function_of(70)).is_empty());
}

#[test]
fn braces_in_words_do_not_end_a_function() {
    let body = "    let _ = (\"}\", '}', r#\"}\"#, b'}'); // }\n    /* } /* } */ } */\n".repeat(40);
    let text = format!("fn f<'a>(x: &'a str) {{\n{body}}}\n");
    assert_eq!(lines(rules::functions_are_short, "a.rs", &text), ["a.rs:1"]);
}

#[test]
fn function_types_and_declarations_are_no_functions() {
    let text = format!(
        "struct S {{ f: fn(u8) -> u8 }}\ntrait T {{ fn g(&self); }}\n{}",
        "const A: u8 = 1;\n".repeat(90)
    );
    assert!(lines(rules::functions_are_short, "a.rs", &text).is_empty());
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let rule = rules::files_are_short;
    let long = "const A: u8 = 1;\n".repeat(501);
    assert_eq!(lines(rule, "a/src/b.rs", &long), ["a/src/b.rs:501"]);
    assert!(lines(rule, "a/src/b/tests.rs", &long).is_empty());
    assert!(lines(rule, "a/tests/b.rs", &long).is_empty());
    let tests = format!("const A: u8 = 1;\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(lines(rule, "a/src/b.rs", &tests).is_empty());
}

#[test]
fn unfinished_code_is_found_and_words_about_it_are_not() {
    let rule = rules::nothing_is_unfinished;
    let bad = "fn f() { todo!() }\nfn g() { unimplemented!() }\n#[ignore]\n#[allow(dead_code)]\n#[ignore = \"\"]\n#[allow(unused_imports)]\n";
    let found = lines(rule, "a.rs", bad);
    let all: BTreeSet<String> = (1..=6).map(|line| format!("a.rs:{line}")).collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
    assert!(
        lines(
            rule,
            "a.rs",
            "// todo!()\nconst A: &str = \"unimplemented!()\";\n"
        )
        .is_empty()
    );
}

#[test]
fn a_promise_in_a_comment_is_found() {
    let text = concat!("fn f() {}\n// TO", "DO later\n// FIX", "ME\n");
    assert_eq!(
        lines(rules::comments_promise_nothing, "a.rs", text),
        ["a.rs:2", "a.rs:3"]
    );
}

#[test]
fn a_sleep_is_found_in_tests_alone() {
    let rule = rules::tests_do_not_sleep;
    let sleep = "fn f() { std::thread::sleep(d); }\n";
    assert!(lines(rule, "a/src/b.rs", sleep).is_empty());
    assert_eq!(lines(rule, "a/src/tests.rs", sleep), ["a/src/tests.rs:1"]);
    assert_eq!(lines(rule, "tests/it/b.rs", sleep), ["tests/it/b.rs:1"]);
    let inside = format!("fn g() {{}}\n#[cfg(test)]\nmod tests {{\n{sleep}}}\n");
    assert_eq!(lines(rule, "a/src/b.rs", &inside), ["a/src/b.rs:4"]);
}

#[test]
fn an_unbounded_channel_is_found() {
    let text = "use x::unbounded_channel;\nfn f() { let (a, b) = mpsc::unbounded(); }\n";
    assert_eq!(
        lines(rules::channels_are_bounded, "a.rs", text),
        ["a.rs:1", "a.rs:2"]
    );
}

#[test]
fn bincode_is_found_outside_wire() {
    let rule = rules::only_wire_names_bincode;
    let text = "use bincode::config;\n";
    assert_eq!(
        lines(rule, "market/src/ids.rs", text),
        ["market/src/ids.rs:1"]
    );
    assert!(lines(rule, "market/src/wire.rs", text).is_empty());
    assert!(lines(rule, "market/src/ids.rs", "/// Not bincode.\n").is_empty());
}

#[test]
fn sled_is_found_outside_the_store() {
    let rule = rules::only_the_store_names_sled;
    let text = "use sled::Db;\n";
    assert_eq!(
        lines(rule, "market/node/src/home.rs", text),
        ["market/node/src/home.rs:1"]
    );
    assert!(lines(rule, "market/node/src/store.rs", text).is_empty());
    assert!(lines(rule, "market/node/src/store/index.rs", text).is_empty());
}

#[test]
fn input_and_output_are_found_in_pure_crates_alone() {
    let rule = rules::pure_crates_do_no_io;
    let bad = "use std::fs;\nuse std::{fmt, net};\nfn f() { Instant::now(); }\nuse std::collections::HashMap;\n";
    let found: BTreeSet<String> = lines(rule, "matching/src/a.rs", bad).into_iter().collect();
    let all: BTreeSet<String> = (1..=4)
        .map(|line| format!("matching/src/a.rs:{line}"))
        .collect();
    assert_eq!(found, all);
    assert!(lines(rule, "market/node/src/a.rs", bad).is_empty());
    assert!(lines(rule, "matching/src/tests.rs", bad).is_empty());
    assert!(lines(rule, "matching/src/a.rs", "use std::{fmt, str::FromStr};\n").is_empty());
}

#[test]
fn a_float_is_found_where_money_is() {
    let rule = rules::money_is_exact;
    let text = "struct A { price: f64 }\n";
    assert_eq!(lines(rule, "market/src/a.rs", text), ["market/src/a.rs:1"]);
    assert!(lines(rule, "market/src/progress.rs", text).is_empty());
    assert!(lines(rule, "provider/src/a.rs", text).is_empty());
}

const GOOD: &str = "[package]\nname = \"NAME\"\ndescription = \"Owns something that a sentence can say\"\nlicense.workspace = true\n[lints]\nworkspace = true\n";

fn manifest(folder: &str, name: &str, rest: &str) -> Manifest {
    let text = format!("{}{rest}", GOOD.replace("NAME", name));
    Manifest::new(format!("{folder}/Cargo.toml"), &text).expect("the sample is a manifest")
}

fn count(rule: fn(&[Manifest]) -> Vec<Finding>, sample: Manifest) -> usize {
    rule(&[sample]).len()
}

#[test]
fn an_arrow_that_points_up_is_found() {
    let rule = manifests::arrows_point_down;
    let uses = |kind: &str, name: &str| format!("[{kind}]\n{name}.workspace = true\n");
    assert_eq!(
        count(
            rule,
            manifest("market", "market", &uses("dependencies", "matching"))
        ),
        1
    );
    assert_eq!(
        count(
            rule,
            manifest("provider", "provider", &uses("dependencies", "consumer"))
        ),
        1
    );
    assert_eq!(
        count(
            rule,
            manifest(
                "consumer",
                "consumer",
                &uses("dev-dependencies", "provider")
            )
        ),
        1
    );
    let target = uses("target.'cfg(unix)'.dependencies", "market");
    assert_eq!(
        count(rule, manifest("provider/sandbox", "sandbox", &target)),
        1
    );
    assert_eq!(
        count(
            rule,
            manifest("consumer", "consumer", &uses("dependencies", "market"))
        ),
        0
    );
}

#[test]
fn an_unknown_crate_is_found() {
    let rule = manifests::crates_are_the_known_ones;
    assert_eq!(count(rule, manifest("extra", "extra", "")), 1);
    assert_eq!(count(rule, manifest("elsewhere", "market", "")), 1);
    assert_eq!(count(rule, manifest("market", "market", "")), 0);
}

#[test]
fn a_crate_that_does_not_say_what_it_is_is_found() {
    let rule = manifests::crates_say_what_they_are;
    let bare = Manifest::new(
        "a/Cargo.toml",
        "[package]\nname = \"a\"\ndescription = \"TBD\"\n",
    );
    assert_eq!(count(rule, bare.expect("the sample is a manifest")), 3);
    assert_eq!(count(rule, manifest("market", "market", "")), 0);
}

#[test]
fn a_crate_that_leaves_its_purpose_is_found() {
    let rule = manifests::crates_keep_to_their_purpose;
    let uses = |kind: &str| format!("[{kind}]\ntokio.workspace = true\n");
    assert_eq!(
        count(
            rule,
            manifest("matching", "matching", &uses("dependencies"))
        ),
        1
    );
    assert_eq!(
        count(
            rule,
            manifest("matching", "matching", &uses("dev-dependencies"))
        ),
        0
    );
    assert_eq!(
        count(
            rule,
            manifest("provider", "provider", &uses("dependencies"))
        ),
        0
    );
}

#[test]
fn a_version_outside_the_root_is_found() {
    let rule = manifests::versions_stand_once;
    assert_eq!(
        count(
            rule,
            manifest("market", "market", "[dependencies]\nserde = \"1\"\n")
        ),
        1
    );
    assert_eq!(
        count(
            rule,
            manifest(
                "market",
                "market",
                "[dependencies]\nserde.workspace = true\n"
            )
        ),
        0
    );
}

#[test]
fn a_manifest_that_cannot_be_read_is_found() {
    assert!(Manifest::new("a/Cargo.toml", "[package").is_err());
}

fn document(path: &str, text: &str) -> Document {
    Document {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn a_long_map_is_found() {
    let long = "x\n".repeat(200);
    assert_eq!(
        documents::the_map_is_short(&document("ARCHITECTURE.md", &long)).len(),
        1
    );
    assert_eq!(
        documents::the_map_is_short(&document("README.md", &long)).len(),
        0
    );
}

#[test]
fn half_a_decision_is_found() {
    let whole = "# T\n## Context\n## Decision\n## Consequences\n";
    assert_eq!(
        documents::decisions_are_whole(&document("docs/adr/001-a.md", whole)).len(),
        0
    );
    assert_eq!(
        documents::decisions_are_whole(&document("docs/adr/first.md", whole)).len(),
        1
    );
    assert_eq!(
        documents::decisions_are_whole(&document("docs/adr/001-a.md", "# T\n")).len(),
        3
    );
}

#[test]
fn a_link_to_nothing_is_found() {
    let existing: BTreeSet<String> = ["docs/a.md".to_owned(), "README.md".to_owned()].into();
    let broken =
        |text: &str| documents::links_lead_somewhere(&document("docs/b.md", text), &existing).len();
    assert_eq!(
        broken("[a](a.md) [r](../README.md#top) [w](https://example.org) [h](#here)"),
        0
    );
    assert_eq!(broken("[a](c.md) and [b](../docs/d.md)"), 2);
}

#[test]
fn a_test_file_that_the_page_does_not_name_is_found() {
    let document = Document {
        path: "tests/README.md".to_owned(),
        text: "| `it/a.rs` | x |".to_owned(),
    };
    let paths = [
        "tests/it/a.rs",
        "tests/it/b.rs",
        "tests/it/b/c.rs",
        "tests/it/main.rs",
    ];
    let existing = paths.map(str::to_owned).into();
    let found = documents::tests_are_listed(&document, &existing);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("it/b.rs"));
}

#[test]
fn what_a_run_left_behind_is_found() {
    let file = |path: &str, bytes| (path.to_owned(), bytes);
    let good = [file("tests/it/a.rs", 9), file("market/a.bin", 1 << 20)];
    assert!(documents::nothing_is_left_lying(&good).is_empty());
    let bad = [
        file("tests/out/config.json", 9),
        file("market/a.bin", (1 << 20) + 1),
    ];
    assert_eq!(documents::nothing_is_left_lying(&bad).len(), 2);
}
