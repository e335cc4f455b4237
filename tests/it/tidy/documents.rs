//! Owns the rules for what people read: sizes, links and decisions.
//!
//! Never reads a file: it gets documents as text, and the paths that exist.

use std::collections::BTreeSet;

use super::source::Finding;

/// The most lines of ARCHITECTURE.md, so that people read it.
const ARCHITECTURE_LINES: usize = 199;

/// The largest file that the project keeps.
const LARGEST_BYTES: u64 = 1 << 20;

/// A Markdown file.
pub(crate) struct Document {
    /// Path from the workspace root.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The map stays short.
pub(crate) fn the_map_is_short(document: &Document) -> Vec<Finding> {
    let lines = document.text.lines().count();
    if document.path != "ARCHITECTURE.md" || lines <= ARCHITECTURE_LINES {
        return Vec::new();
    }
    let what = format!(
        "{lines} lines; at most {ARCHITECTURE_LINES}, details belong into the crates' own pages"
    );
    vec![Finding::at(&document.path, lines, what)]
}

/// A decision says why it was needed, what was decided and what follows.
pub(crate) fn decisions_are_whole(document: &Document) -> Vec<Finding> {
    let Some(name) = document.path.strip_prefix("docs/adr/") else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let number = name.split('-').next().unwrap_or_default();
    if number.len() != 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        findings.push(Finding::at(&document.path, 1, "name it `NNN-title.md`"));
    }
    for section in ["## Context", "## Decision", "## Consequences"] {
        if !document.text.lines().any(|line| line == section) {
            findings.push(Finding::at(
                &document.path,
                1,
                format!("has no `{section}`"),
            ));
        }
    }
    findings
}

/// A link to a file of the project leads to one.
pub(crate) fn links_lead_somewhere(
    document: &Document,
    existing: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains(':') {
                continue;
            }
            if !existing.contains(&resolve(&document.path, target)) {
                let what = format!("the link to `{target}` leads nowhere");
                findings.push(Finding::at(&document.path, index + 1, what));
            }
        }
    }
    findings
}

/// The page about the integration tests names each of their files.
pub(crate) fn tests_are_listed(document: &Document, existing: &BTreeSet<String>) -> Vec<Finding> {
    if document.path != "tests/README.md" {
        return Vec::new();
    }
    let files = existing
        .iter()
        .filter_map(|path| path.strip_prefix("tests/it/")?.strip_suffix(".rs"));
    let missing = files.filter(|name| {
        let is_known = document.text.contains(&format!("`it/{name}.rs`"));
        !name.contains('/') && *name != "main" && !is_known
    });
    let told = |name| Finding::at(&document.path, 1, format!("does not name `it/{name}.rs`"));
    missing.map(told).collect()
}

/// What a test or a person's run wrote by mistake is no part of the project: nothing large, and in `tests` only
/// what belongs there.
pub(crate) fn nothing_is_left_lying(files: &[(String, u64)]) -> Vec<Finding> {
    let is_known = |path: &str| {
        let Some(inside) = path.strip_prefix("tests/") else {
            return true;
        };
        ["it/", "fixtures/", "fuzz/"]
            .iter()
            .any(|folder| inside.starts_with(folder))
            || ["Cargo.toml", "README.md", "lib.rs"].contains(&inside)
    };
    let mut findings = Vec::new();
    for (path, bytes) in files {
        if *bytes > LARGEST_BYTES {
            let what =
                format!("{bytes} bytes; at most {LARGEST_BYTES} belong into a file of the project");
            findings.push(Finding::at(path, 1, what));
        } else if !is_known(path) {
            findings.push(Finding::at(
                path,
                1,
                "is no part of the tests; did a test leave it?",
            ));
        }
    }
    findings
}

/// Joins a relative link to the folder of the document that holds it.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
