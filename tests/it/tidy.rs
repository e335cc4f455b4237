//! Owns the tidy test: that the code keeps to the shape that ARCHITECTURE.md and CONTRIBUTING.md state.
//!
//! Never looks at behaviour. Each rule is a test of its own over the workspace, and is itself tested in
//! `samples` against a small bad text, so that no rule can pass by seeing nothing.

mod documents;
mod manifests;
mod mask;
mod rules;
mod samples;
mod source;
mod workspace;

use std::collections::BTreeSet;

use documents::Document;
use manifests::Manifest;
use source::{Finding, Source};

/// Fails with every finding on a line of its own.
fn expect_none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} to put right:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

fn check_sources(rule: fn(&Source) -> Vec<Finding>) {
    expect_none(workspace::sources().iter().flat_map(rule).collect());
}

fn check_crates(rule: fn(&[Manifest]) -> Vec<Finding>) {
    let files = workspace::files("Cargo.toml").into_iter();
    let parsed: Result<Vec<Manifest>, Finding> = files
        .map(|(path, text)| Manifest::new(path, &text))
        .collect();
    match parsed {
        Ok(manifests) => {
            let count = manifests::crates(&manifests).count();
            assert!(
                count >= 11,
                "tidy sees {count} crates, fewer than there are"
            );
            expect_none(rule(&manifests));
        }
        Err(finding) => expect_none(vec![finding]),
    }
}

fn all_documents() -> Vec<Document> {
    let files = workspace::files(".md").into_iter();
    let documents: Vec<Document> = files.map(|(path, text)| Document { path, text }).collect();
    let has = |path: &str| documents.iter().any(|document| document.path == path);
    assert!(
        has("README.md") && has("ARCHITECTURE.md"),
        "tidy misses the documents"
    );
    documents
}

#[test]
fn every_file_says_what_it_owns() {
    check_sources(rules::opens_with_what_it_owns);
}

#[test]
fn functions_are_short() {
    check_sources(rules::functions_are_short);
}

#[test]
fn files_are_short() {
    check_sources(rules::files_are_short);
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    check_sources(rules::nothing_is_unfinished);
}

#[test]
fn comments_promise_nothing() {
    check_sources(rules::comments_promise_nothing);
}

#[test]
fn tests_do_not_sleep() {
    check_sources(rules::tests_do_not_sleep);
}

#[test]
fn channels_are_bounded() {
    check_sources(rules::channels_are_bounded);
}

#[test]
fn only_wire_names_bincode() {
    check_sources(rules::only_wire_names_bincode);
}

#[test]
fn only_the_store_names_sled() {
    check_sources(rules::only_the_store_names_sled);
}

#[test]
fn pure_crates_do_no_io() {
    check_sources(rules::pure_crates_do_no_io);
}

#[test]
fn money_is_exact() {
    check_sources(rules::money_is_exact);
}

#[test]
fn arrows_between_crates_point_down() {
    check_crates(manifests::arrows_point_down);
}

#[test]
fn crates_are_the_known_ones() {
    check_crates(manifests::crates_are_the_known_ones);
}

#[test]
fn crates_say_what_they_are() {
    check_crates(manifests::crates_say_what_they_are);
}

#[test]
fn crates_keep_to_their_purpose() {
    check_crates(manifests::crates_keep_to_their_purpose);
}

#[test]
fn versions_stand_once() {
    check_crates(manifests::versions_stand_once);
}

#[test]
fn the_map_is_short() {
    expect_none(
        all_documents()
            .iter()
            .flat_map(documents::the_map_is_short)
            .collect(),
    );
}

#[test]
fn decisions_are_whole() {
    expect_none(
        all_documents()
            .iter()
            .flat_map(documents::decisions_are_whole)
            .collect(),
    );
}

#[test]
fn links_lead_somewhere() {
    let existing: BTreeSet<String> = workspace::paths();
    let broken = |document| documents::links_lead_somewhere(document, &existing);
    expect_none(all_documents().iter().flat_map(broken).collect());
}

#[test]
fn tests_are_listed() {
    let existing: BTreeSet<String> = workspace::paths();
    let missing = |document| documents::tests_are_listed(document, &existing);
    expect_none(all_documents().iter().flat_map(missing).collect());
}

#[test]
fn nothing_is_left_lying() {
    let sizes = workspace::sizes();
    assert!(sizes.iter().any(|(path, _)| path == "Cargo.lock"));
    expect_none(documents::nothing_is_left_lying(&sizes));
}
