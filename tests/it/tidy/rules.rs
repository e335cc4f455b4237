//! Owns the rules for one Rust file: its shape, its words, and what it may name.
//!
//! Never reads a file: a rule gets a source and returns what is wrong with it.

use super::source::{Finding, Source, body, closing};

/// The most lines of a function, from its `fn` to its closing brace.
pub(crate) const FUNCTION_LINES: usize = 70;

/// The most lines of a file without its tests.
pub(crate) const FILE_LINES: usize = 500;

/// Folders of the crates that are pure: rules and state machines, no input or output.
const PURE: [&str; 3] = ["market/src/", "matching/src/", "gpu-probe/proof/src/"];

/// Folders of the crates in which money and order are decided.
const EXACT: [&str; 2] = ["market/src/", "matching/src/"];

/// The file of an exact crate that reports figures of training, which are no money.
const FLOATS_ALLOWED: &str = "market/src/progress.rs";

/// Programs that tests start and that hang on purpose, so that something is there to be killed.
const SLEEPING_PROGRAMS: [&str; 1] = ["provider/sandbox/tests/probe/"];

/// Every file says first what it owns and what it must never do.
pub(crate) fn opens_with_what_it_owns(source: &Source) -> Vec<Finding> {
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    if first.is_some_and(|line| line.starts_with("//!")) {
        return Vec::new();
    }
    let what = "does not open with `//!`; say first what the file owns and what it must never do";
    vec![Finding::at(&source.path, 1, what)]
}

/// Functions stay short enough to be seen whole.
pub(crate) fn functions_are_short(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for start in source.words("fn") {
        // A space follows where a function is named; `fn(u8)` is a type.
        if source.code.as_bytes().get(start + 2) != Some(&b' ') {
            continue;
        }
        let Some(open) = body(&source.code, start) else {
            continue;
        };
        let end = closing(&source.code, open);
        let lines = source.line(end.saturating_sub(1)) - source.line(start) + 1;
        if lines > FUNCTION_LINES {
            let what = format!("a function of {lines} lines; split it, at most {FUNCTION_LINES}");
            findings.push(source.finding(start, what));
        }
    }
    findings
}

/// Files stay short enough to be read whole; tests do not count.
pub(crate) fn files_are_short(source: &Source) -> Vec<Finding> {
    let lines = source.lines_without_tests();
    if source.is_test_file() || lines <= FILE_LINES {
        return Vec::new();
    }
    let what = format!("{lines} lines without tests; split the file, at most {FILE_LINES}");
    vec![Finding::at(&source.path, lines, what)]
}

/// Nothing is left for later, switched off or hidden from the compiler.
pub(crate) fn nothing_is_unfinished(source: &Source) -> Vec<Finding> {
    let banned = [
        ("todo!", "write it, or take it out"),
        ("unimplemented!", "write it, or take it out"),
        (
            "#[ignore]",
            "a test runs or goes; one that needs a GPU asks for it and says that it skipped",
        ),
        (
            "#[ignore =",
            "a test runs or goes; one that needs a GPU asks for it and says that it skipped",
        ),
        ("allow(dead_code", "take the dead code out"),
        ("allow(unused", "take out what is unused"),
    ];
    let mut findings = Vec::new();
    for (word, advice) in banned {
        let places = source.code.match_indices(word);
        findings.extend(places.map(|(at, _)| source.finding(at, format!("`{word}`: {advice}"))));
    }
    findings
}

/// Comments promise nothing.
pub(crate) fn comments_promise_nothing(source: &Source) -> Vec<Finding> {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            let what = format!("`{word}`: do it now, or write an issue and leave the code whole");
            findings.push(Finding::at(&source.path, index + 1, what));
        }
    }
    findings
}

/// A test waits for what it expects and never for time.
pub(crate) fn tests_do_not_sleep(source: &Source) -> Vec<Finding> {
    if SLEEPING_PROGRAMS
        .iter()
        .any(|folder| source.path.starts_with(folder))
    {
        return Vec::new();
    }
    let words = source.words("sleep").into_iter();
    let is_call = |at: &usize| source.code.as_bytes().get(at + "sleep".len()) == Some(&b'(');
    let in_tests = words.filter(|at| is_call(at) && source.is_test(*at));
    let what = "a test sleeps; wait for the event, with a timeout around it";
    in_tests.map(|at| source.finding(at, what)).collect()
}

/// What a peer can fill has a bound.
pub(crate) fn channels_are_bounded(source: &Source) -> Vec<Finding> {
    let words = ["unbounded_channel", "UnboundedSender", "unbounded"];
    let places = words.iter().flat_map(|word| source.words(word));
    let what = "an unbounded channel; choose a bound and say what happens when it is reached";
    places.map(|at| source.finding(at, what)).collect()
}

/// bincode is named in one file, so that bytes can change their maker in one file.
pub(crate) fn only_wire_names_bincode(source: &Source) -> Vec<Finding> {
    if source.path == "market/src/wire.rs" {
        return Vec::new();
    }
    let what = "names bincode; encode and decode through market::wire";
    named(source, "bincode", what)
}

/// sled is named in one module, so that the store can change in one module.
pub(crate) fn only_the_store_names_sled(source: &Source) -> Vec<Finding> {
    let is_store = source.path == "market/node/src/store.rs"
        || source.path.starts_with("market/node/src/store/");
    if is_store {
        return Vec::new();
    }
    named(source, "sled", "names sled; go through market_node's store")
}

/// Pure crates get time, entropy and bytes from their caller.
pub(crate) fn pure_crates_do_no_io(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let impure = [
        "std::net",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "tokio",
        "Instant",
        "SystemTime",
        "getrandom",
        "thread_rng",
        "HashMap",
        "HashSet",
        "println!",
        "eprintln!",
    ];
    let mut findings = Vec::new();
    for word in impure {
        let places = source.words(word).into_iter();
        let what = format!("a pure crate names `{word}`; take what you need as an argument");
        let outside_tests = places.filter(|at| !source.is_test(*at));
        findings.extend(outside_tests.map(|at| source.finding(at, what.clone())));
    }
    findings.extend(impure_imports(source));
    findings
}

/// Finds `use std::{fs, ..}`, which names no whole path.
fn impure_imports(source: &Source) -> Vec<Finding> {
    let modules = ["fs", "net", "env", "process", "thread"];
    let mut findings = Vec::new();
    for (at, start) in source.code.match_indices("std::{") {
        let end = closing(&source.code, at + start.len() - 1);
        let list = source.code.get(at..end).unwrap_or_default();
        let names = |module: &&&str| {
            list.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|name| name == **module)
        };
        let Some(module) = modules.iter().find(names) else {
            continue;
        };
        if !source.is_test(at) {
            let what =
                format!("a pure crate names `std::{module}`; take what you need as an argument");
            findings.push(source.finding(at, what));
        }
    }
    findings
}

/// No float touches money, ordering or identity.
pub(crate) fn money_is_exact(source: &Source) -> Vec<Finding> {
    let is_exact = EXACT.iter().any(|folder| source.path.starts_with(folder));
    if !is_exact || source.path == FLOATS_ALLOWED {
        return Vec::new();
    }
    let places = ["f32", "f64"].iter().flat_map(|word| source.words(word));
    let outside_tests = places.filter(|at| !source.is_test(*at));
    let what = "a float where money, order or identity is decided; use integers with their unit in the name";
    outside_tests.map(|at| source.finding(at, what)).collect()
}

fn named(source: &Source, word: &str, what: &str) -> Vec<Finding> {
    let places = source.words(word).into_iter();
    places.map(|at| source.finding(at, what)).collect()
}
