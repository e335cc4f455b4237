//! Owns the tests of a consumer whose disk has changed an input under it, found when the job moves to another
//! provider.
//!
//! Never damages what was delivered.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{check_steps, start};
use crate::credits;
use crate::market::{Market, Plan};
use crate::program;
use crate::purchase::{self, Purchase};

/// Steps of the jobs.
const STEPS: u32 = 400;

/// The data of the job, as the person has it.
fn source(market: &Market) -> PathBuf {
    market.folder.path().join("text.txt")
}

/// Changes the data in the consumer's store.
fn damage(market: &Market, change: impl FnOnce(&mut Vec<u8>)) {
    let mut data = fs::read(source(market)).expect("the data is a file");
    let blob = stored(&market.consumer.home, &data);
    change(&mut data);
    fs::write(&blob, data).expect("the test owns the store");
}

fn kill_its_provider(market: &mut Market, job: &Purchase) {
    let chosen = job.wait_for_event(0, "chosen")["offer"]["row"]["node"].clone();
    market.provider_of(&chosen).kill();
}

/// Finds the file of a node's blob store that holds `content`.
fn stored(home: &Path, content: &[u8]) -> PathBuf {
    let folders = fs::read_dir(home.join("blobs/objects")).expect("the node has a blob store");
    let files = folders.flat_map(|folder| {
        let folder = folder.expect("a folder can be read").path();
        fs::read_dir(folder).expect("a folder can be read")
    });
    let mut files = files.map(|file| file.expect("a file can be read").path());
    let found = files.find(|file| fs::read(file).is_ok_and(|bytes| bytes == content));
    found.expect("the data is in the store")
}

fn notes(events: &[Value]) -> String {
    let notes = events.iter().filter(|event| event["event"] == "note");
    let lines = notes.filter_map(|event| event["line"].as_str());
    lines.collect::<Vec<_>>().join("\n")
}

fn two_providers() -> Market {
    Market::found(&Plan {
        prices: &["0.25", "0.3"],
        ..Plan::default()
    })
}

#[test]
fn a_damaged_input_is_brought_anew_from_where_it_came_and_the_job_goes_on() {
    if !program::has_adapter() {
        return;
    }
    let mut market = two_providers();
    let job = start(&market, STEPS);
    damage(&market, |data| data[100] ^= 1);
    kill_its_provider(&mut market, &job);
    let end = job.end();
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    let notes = notes(&end.events);
    for part in [
        "the input data.txt was not whole in this node's store",
        "it was brought anew from",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    let last = end.last();
    assert_eq!(
        (&last["outcome"], &last["attempts"]),
        (&"completed".into(), &2.into()),
        "{last}"
    );
    let is_moved = |event: &Value| event["event"] == "moved";
    let moved = end.events.iter().position(is_moved).expect("it moved");
    check_steps(&end.events[moved..], STEPS);
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(&market, 2), paid);
}

#[test]
fn a_damaged_input_whose_source_has_changed_ends_the_run_with_what_to_do() {
    if !program::has_adapter() {
        return;
    }
    let mut market = two_providers();
    let job = start(&market, STEPS);
    damage(&market, |data| data[100] ^= 1);
    fs::write(source(&market), "quite another text").expect("the test owns it");
    kill_its_provider(&mut market, &job);
    let end = job.end();
    assert_eq!(end.done.code, Some(6), "{:?}", end.done);
    let said = &end.done.stderr;
    for part in [
        "is not whole in this node's store",
        "has other content now",
        "buy the job anew",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    purchase::check_delivered(&end.events);
    purchase::check_refund(&market, 1);
}
