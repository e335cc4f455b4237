//! Tests of a run's events: order, bounds, restart, a torn tail, a disk that takes nothing.

use std::io::Write as _;
use std::path::PathBuf;

use market::AgreementId;
use market::progress::{Progress, StepMetric};
use market_node::api::{NumberedEvent, RunEvent};

use super::{EventLog, file::EventFile, file::Place};

fn note(text: &str) -> RunEvent {
    RunEvent::Note {
        line: text.to_owned(),
    }
}

fn step(step: u64) -> RunEvent {
    let report = Progress::Step(StepMetric {
        step,
        steps: 1_000_000,
        loss: 1.5,
        tokens: step * 64,
        tokens_per_second: 10.0,
    });
    RunEvent::Progress {
        at_ms: step,
        agreement: None,
        number: Some(step),
        report,
    }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/1d/events.ndjson");
    (folder, path)
}

fn all(log: &EventLog, from: u64) -> Vec<NumberedEvent> {
    let mut reader = log.reader(from);
    std::iter::from_fn(|| reader.kept()).collect()
}

fn numbers(events: &[NumberedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.n).collect()
}

#[test]
fn what_is_told_before_there_is_a_file_comes_into_it() {
    let (_folder, path) = place();
    let log = EventLog::new();
    log.tell(note("a"));
    log.keep_at(&path).unwrap();
    log.tell(note("b"));
    assert_eq!(numbers(&all(&log, 0)), [0, 1]);
    drop(log);
    let again = EventLog::open(&path).unwrap();
    again.tell(note("c"));
    let events = all(&again, 1);
    assert_eq!(numbers(&events), [1, 2]);
    assert_eq!(events[1].event, note("c"));
    assert_eq!(again.range(), (0, 3));
}

#[test]
fn a_torn_tail_is_cut_off_and_its_number_is_used_again() {
    let (_folder, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.tell(note("whole"));
    drop(log);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\"n\":1,\"event\":{\"event\":\"note\",\"li")
        .unwrap();
    drop(file);
    let log = EventLog::open(&path).unwrap();
    log.tell(note("after"));
    let events = all(&log, 0);
    assert_eq!(numbers(&events), [0, 1]);
    assert_eq!(events[1].event, note("after"));
}

#[tokio::test]
async fn a_follower_gets_everything_once_and_ends_with_the_run() {
    let (_folder, path) = place();
    let log = EventLog::new();
    let mut reader = log.reader(0);
    let followed = tokio::spawn(async move {
        let mut events = Vec::new();
        while let Some(event) = reader.next().await {
            events.push(event.n);
        }
        events
    });
    for number in 0..500 {
        log.tell(step(number));
        if number == 100 {
            log.keep_at(&path).unwrap();
        }
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    log.close();
    assert_eq!(followed.await.unwrap(), (0..500).collect::<Vec<u64>>());
    let mut late = log.reader(499);
    assert_eq!(late.next().await.map(|event| event.n), Some(499));
    assert_eq!(late.next().await, None);
}

#[test]
fn the_file_stays_within_its_bound_and_says_what_is_gone() {
    let (_folder, path) = place();
    let (mut file, _) = EventFile::open(&path, 20_000).unwrap();
    let told = |n: u64| match n % 100 {
        0 => note(&format!("kept {n}")),
        _ => step(n),
    };
    for n in 0..3_000 {
        let event = told(n);
        file.append(&NumberedEvent { n, event }).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() <= 20_000);
    }
    let events = file.read(&mut Place::default(), 1 << 20).unwrap();
    let notes = |wanted: &str| {
        let is_it = |event: &&NumberedEvent| matches!(&event.event, RunEvent::Note { line } if line.contains(wanted));
        events.iter().filter(is_it).count()
    };
    assert_eq!(notes("kept"), 30, "what must be known outlives the steps");
    assert!(notes("were dropped") >= 1);
    assert_eq!(events.last().unwrap().n, 2_999);
    assert!(numbers(&events).is_sorted_by(|one, next| one < next));
}

#[test]
fn a_reader_goes_on_when_the_file_is_written_anew_under_it() {
    let (_folder, path) = place();
    let (mut file, _) = EventFile::open(&path, 5_000).unwrap();
    let mut place = Place::default();
    let mut last = None;
    for n in 0..400 {
        file.append(&NumberedEvent { n, event: step(n) }).unwrap();
        for event in file.read(&mut place, 1 << 20).unwrap() {
            if last.is_none_or(|last| event.n > last) {
                last = Some(event.n);
            }
        }
        assert_eq!(last, Some(n));
    }
}

#[test]
fn without_a_file_the_newest_events_are_held_within_a_bound() {
    let log = EventLog::new();
    log.tell(note("first"));
    for number in 0..super::MAX_PENDING as u64 + 50 {
        log.tell(step(number));
    }
    let events = all(&log, 0);
    assert_eq!(events.len(), super::MAX_PENDING);
    assert_eq!(events[0].event, note("first"), "steps go first");
}

#[test]
fn a_line_that_cannot_be_read_is_stepped_over_and_stays() {
    let (_folder, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.tell(note("before"));
    drop(log);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"not a line of ours\n{\"n\":7,\"event\":{\"event\":\"of a newer release\"}}\n");
    std::fs::write(&path, &bytes).unwrap();
    let log = EventLog::open(&path).unwrap();
    log.tell(note("after"));
    let events = all(&log, 0);
    assert_eq!(numbers(&events), [0, 8]);
    assert_eq!(events[1].event, note("after"));
    assert!(std::fs::read(&path).unwrap().starts_with(&bytes));
}

#[tokio::test]
async fn looking_at_a_run_that_is_over_changes_nothing() {
    let (_folder, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.tell(note("whole"));
    drop(log);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"{\"n\":1,\"ev");
    std::fs::write(&path, &bytes).unwrap();
    let log = EventLog::open_to_read(&path).unwrap();
    let mut reader = log.reader(0);
    assert_eq!(reader.next().await.unwrap().event, note("whole"));
    assert_eq!(reader.next().await, None);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_follower_is_told_of_events_that_cannot_be_had_and_goes_on() {
    let log = EventLog::new();
    for number in 0..super::MAX_PENDING {
        log.tell(note(&number.to_string()));
    }
    let mut reader = log.reader(0);
    while reader.kept().is_some() {}
    // Steps are dropped first, so this newest one is gone at once.
    log.tell(step(1));
    let gap = reader.next().await.unwrap();
    assert_eq!(gap.n, super::MAX_PENDING as u64);
    assert!(matches!(gap.event, RunEvent::Note { line } if line.contains("missing")));
    log.close();
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn a_follower_of_a_damaged_log_waits_for_what_comes_next() {
    let (_folder, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.tell(note("lost"));
    std::fs::write(&path, b"").unwrap();
    let mut reader = log.reader(0);
    let gap = reader.next().await.unwrap();
    assert_eq!(gap.n, 0);
    log.tell(note("comes"));
    assert_eq!(reader.next().await.unwrap().event, note("comes"));
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_says_so_and_one_that_is_read_does_not() {
    let log = EventLog::new();
    let (first, second) = (log.reader(0), log.reader(0));
    drop(first);
    let now = std::time::Duration::ZERO;
    let unread = tokio::time::timeout(now, log.unread()).await;
    assert!(unread.is_err(), "the second reader is there");
    drop(second);
    log.unread().await;
}

fn opened(agreement: AgreementId) -> RunEvent {
    RunEvent::Opened {
        agreement,
        channel: market::ChannelId::from_bytes([1; 32]),
        deposit: market::Amount::ZERO,
    }
}

fn report(agreement: Option<AgreementId>, number: u64) -> RunEvent {
    RunEvent::Progress {
        at_ms: 0,
        agreement,
        number: Some(number),
        report: Progress::Text {
            text: "a word".to_owned(),
        },
    }
}

#[test]
fn which_reports_were_told_is_known_after_a_restart_for_each_agreement() {
    let (_folder, path) = place();
    let [first, second] = [[1; 32], [2; 32]].map(AgreementId::from_bytes);
    let log = EventLog::open(&path).unwrap();
    assert_eq!(log.next_report(first), 0);
    log.tell(opened(first));
    log.tell(report(Some(first), 393));
    log.tell(report(Some(first), 394));
    log.tell(note("between"));
    assert_eq!(log.next_report(first), 395);
    // The second one may report before it is told that it is open.
    log.tell(report(Some(second), 0));
    log.tell(opened(second));
    log.tell(report(Some(second), 20));
    // The first one's link is back.
    log.tell(report(Some(first), 399));
    let told = |log: &EventLog| (log.next_report(first), log.next_report(second));
    assert_eq!(told(&log), (400, 21));
    drop(log);
    assert_eq!(told(&EventLog::open(&path).unwrap()), (400, 21));
}

#[test]
fn a_report_that_names_no_agreement_is_one_of_the_newest() {
    let (_folder, path) = place();
    let [first, second] = [[1; 32], [2; 32]].map(AgreementId::from_bytes);
    let log = EventLog::open(&path).unwrap();
    log.tell(opened(first));
    log.tell(report(None, 7));
    log.tell(opened(second));
    log.tell(report(None, 2));
    assert_eq!((log.next_report(first), log.next_report(second)), (8, 3));
}
