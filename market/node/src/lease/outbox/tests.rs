//! What waits, what makes room, and what a report may look like.

use market::Amount;
use market::agreement::Meter;
use market::lease::{Artefact, Message, Phase};
use market::progress::{MAX_TEXT_BYTES, Progress, StepMetric};
use market::{BlobHash, wire};

use super::{MAX_REPORTS, Outbox};
use crate::lease_protocol::{MAX_LEASE_BYTES, MAX_PROGRESS_BATCH};

fn due(running_ms: u64) -> Message {
    Message::Due {
        meter: Meter {
            running_ms,
            ..Meter::default()
        },
        cumulative: Amount::from_nanocredits(running_ms),
    }
}

fn phase(phase: Phase) -> Message {
    Message::Phase {
        proved_until: None,
        phase,
        meter: Meter::default(),
    }
}

fn artefact(index: u32) -> Message {
    Message::Artefact(Artefact {
        index,
        name: format!("{index}.bin"),
        hash: BlobHash::of(&[1]),
        bytes: 1,
    })
}

fn step(step: u64) -> Progress {
    Progress::Step(StepMetric {
        step,
        steps: 9_999,
        loss: 1.5,
        tokens: 1,
        tokens_per_second: 2.0,
    })
}

fn failed() -> Progress {
    Progress::Failed {
        reason: "no data".to_owned(),
    }
}

async fn messages(outbox: &Outbox) -> Vec<Message> {
    outbox.close();
    let mut all = Vec::new();
    while let Some(message) = outbox.next_message().await {
        all.push(message);
    }
    all
}

async fn reports(outbox: &Outbox) -> Vec<Vec<Progress>> {
    outbox.close();
    let mut all = Vec::new();
    while let Some(batch) = outbox.next_reports().await {
        all.push(batch);
    }
    all
}

#[tokio::test]
async fn a_newer_demand_or_phase_takes_the_place_of_an_older_one() {
    let outbox = Outbox::default();
    for message in [
        phase(Phase::Running),
        due(1),
        artefact(0),
        due(2),
        phase(Phase::Paused),
    ] {
        outbox.say(message);
    }
    let expected = vec![artefact(0), due(2), phase(Phase::Paused)];
    assert_eq!(messages(&outbox).await, expected);
}

#[tokio::test]
async fn announcing_all_outputs_again_adds_nothing() {
    let outbox = Outbox::default();
    for index in [0, 1, 0, 1, 0] {
        outbox.say(artefact(index));
    }
    assert_eq!(messages(&outbox).await.len(), 2);
}

#[tokio::test]
async fn old_steps_make_room_and_a_failure_stays() {
    let outbox = Outbox::default();
    outbox.report(failed());
    for number in 0..5_000 {
        outbox.report(step(number));
    }
    let all = reports(&outbox).await.concat();
    assert_eq!(all.len(), MAX_REPORTS);
    assert_eq!(all.first(), Some(&failed()));
    assert_eq!(all.last(), Some(&step(4_999)));
}

#[tokio::test]
async fn batches_fit_a_message_however_long_the_lines_are() {
    let outbox = Outbox::default();
    for _ in 0..300 {
        let line = "é".repeat(MAX_TEXT_BYTES);
        outbox.report(Progress::Log { line });
    }
    let batches = reports(&outbox).await;
    assert_eq!(batches.concat().len(), 300);
    for batch in batches {
        assert!(batch.len() <= MAX_PROGRESS_BATCH);
        assert!(wire::encode(&batch).len() < MAX_LEASE_BYTES / 2 + 4_096);
    }
}

#[tokio::test]
async fn texts_are_cut_between_characters() {
    let outbox = Outbox::default();
    let text = format!("a{}", "é".repeat(MAX_TEXT_BYTES));
    outbox.report(Progress::Text { text });
    let all = reports(&outbox).await.concat();
    let Some(Progress::Text { text }) = all.first() else {
        panic!("{all:?}");
    };
    assert_eq!(text.len(), MAX_TEXT_BYTES - 1);
}

#[tokio::test]
async fn a_loss_that_is_no_number_is_told_in_words() {
    let outbox = Outbox::default();
    let Progress::Step(mut metric) = step(3) else {
        unreachable!();
    };
    metric.loss = f32::NAN;
    outbox.report(Progress::Step(metric));
    let line = "step 3: the loss is NaN".to_owned();
    assert_eq!(reports(&outbox).await.concat(), [Progress::Log { line }]);
}

#[tokio::test]
async fn nothing_is_taken_after_the_end() {
    let outbox = Outbox::default();
    outbox.close();
    outbox.say(due(1));
    outbox.report(step(1));
    assert_eq!(outbox.next_message().await, None);
    assert_eq!(outbox.next_reports().await, None);
}
