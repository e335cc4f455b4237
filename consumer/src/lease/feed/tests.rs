//! Checks that a slow reader holds nothing up and misses nothing that counts.

use market::progress::Progress;

use super::*;

fn step() -> RunEvent {
    RunEvent::Progress {
        at_ms: 0,
        report: Progress::Log {
            line: "a line".to_owned(),
        },
    }
}

fn failed() -> RunEvent {
    RunEvent::Failed {
        reason: "it broke".to_owned(),
    }
}

#[tokio::test]
async fn a_stalled_reader_still_hears_how_it_ended_and_the_memory_is_bounded() {
    let (reader, mut stream) = mpsc::channel(2);
    let mut feed = Feed::new(reader);
    for _ in 0..3 * MAX_WAITING {
        feed.tell(step());
    }
    feed.tell(failed());
    let drain = tokio::spawn(feed.drain());
    let mut heard = Vec::new();
    while let Some(event) = stream.recv().await {
        heard.push(event);
    }
    drain.await.expect("the feed ends");
    assert_eq!(heard.len(), 2 + MAX_WAITING + 1);
    assert_eq!(heard.last(), Some(&failed()));
}

#[tokio::test]
async fn events_wait_for_a_full_reader_in_their_order() {
    let (reader, mut stream) = mpsc::channel(1);
    let mut feed = Feed::new(reader);
    feed.tell(step());
    feed.tell(failed());
    assert_eq!(stream.recv().await, Some(step()));
    feed.advance().await;
    assert_eq!(stream.recv().await, Some(failed()));
}

#[tokio::test]
async fn a_reader_that_left_keeps_nothing_waiting() {
    let (reader, stream) = mpsc::channel(1);
    let mut feed = Feed::new(reader);
    drop(stream);
    feed.tell(failed());
    feed.drain().await;
}
