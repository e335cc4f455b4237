//! What failures in a row mean.

use std::time::{Duration, Instant};

use market::lease::{Gone, Input};

use super::{Doubt, Failure, Next};

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

#[test]
fn a_refusal_that_lasts_two_seconds_is_the_end_of_the_program_behind_it() {
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    let first = doubt.failed(Failure::Refused, start);
    assert_eq!(first.news, Some(Input::LinkLost));
    assert_eq!(
        doubt.failed(Failure::Refused, after(start, 1_900)).news,
        None
    );
    let gone = doubt.failed(Failure::Refused, after(start, 2_000)).news;
    let reason = Gone::Refused;
    assert_eq!(gone, Some(Input::PeerGone { reason }));
    let again = doubt.failed(Failure::Refused, after(start, 2_500)).news;
    assert_eq!(again, None, "it is told once");
    assert!(doubt.was_told());
}

#[test]
fn a_timeout_between_two_refusals_is_no_evidence() {
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    doubt.failed(Failure::Refused, start);
    doubt.failed(Failure::Lost, after(start, 1_500));
    let news = doubt.failed(Failure::Refused, after(start, 3_000)).news;
    assert_eq!(news, None, "two seconds count from the newest refusal");
}

#[test]
fn an_agreement_that_is_not_known_yet_is_looked_for_often_before_anything_is_said() {
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    let first = doubt.failed(Failure::Unknown, start);
    let pause = Duration::from_millis(25);
    assert_eq!(first, Next { news: None, pause });
    let later = doubt.failed(Failure::Unknown, after(start, 1_200));
    assert_eq!(later.news, Some(Input::LinkLost));
    let gone = doubt.failed(Failure::Unknown, after(start, 5_000)).news;
    let reason = Gone::UnknownAgreement;
    assert_eq!(gone, Some(Input::PeerGone { reason }));
}

#[test]
fn a_silent_link_is_never_taken_for_a_dead_program_and_is_asked_ever_less() {
    let (mut doubt, start) = (Doubt::default(), Instant::now());
    let mut pauses = Vec::new();
    let mut news = Vec::new();
    for second in [0, 20, 40, 200, 400, 4_000] {
        let next = doubt.failed(Failure::Lost, after(start, second * 1_000));
        pauses.push(next.pause.as_millis());
        news.extend(next.news);
    }
    assert_eq!(pauses, [500, 500, 2_000, 2_000, 15_000, 15_000]);
    assert_eq!(news, [Input::LinkLost]);
}
