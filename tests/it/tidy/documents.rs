//! Owns the rules for what people read: sizes, links and decisions.
//!
//! Never reads a file: it gets documents as text, and the paths that exist.

use std::collections::BTreeSet;

use super::source::Finding;

/// The most lines of ARCHITECTURE.md, so that people read it.
const ARCHITECTURE_LINES: usize = 199;

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
