//! Tests of what follows an attempt's end.

use market::Amount;
use market::lease::Phase;
use market::receipt::Outcome;

use super::{AttemptEnd, MAX_ATTEMPTS, Means, Verdict, decide};

fn ended(outcome: Outcome) -> AttemptEnd {
    AttemptEnd {
        outcome,
        given_up: None,
        work_began: true,
        failure: None,
    }
}

fn means() -> Means {
    Means {
        is_cancelled: false,
        remaining: Amount::from_nanocredits(1_000),
        locked: Amount::from_nanocredits(1_000),
        tick: Amount::from_nanocredits(10),
        attempts: 1,
    }
}

fn goes_on(end: &AttemptEnd) -> bool {
    matches!(decide(end, means()), Verdict::Elsewhere(_))
}

#[test]
fn what_is_done_is_over_and_what_a_provider_did_not_do_goes_on_elsewhere() {
    let over = Verdict::Over(Outcome::Completed, None);
    assert_eq!(decide(&ended(Outcome::Completed), means()), over);
    for outcome in [
        Outcome::Yielded,
        Outcome::Lost,
        Outcome::Cancelled,
        Outcome::OutOfBudget,
    ] {
        assert!(goes_on(&ended(outcome)), "{outcome:?}");
    }
}

#[test]
fn a_job_that_failed_by_itself_is_never_moved() {
    let mut failed = ended(Outcome::Failed);
    failed.failure = Some("training diverged at step 3".to_owned());
    assert_eq!(
        decide(&failed, means()),
        Verdict::Over(Outcome::Failed, failed.failure.clone())
    );
    failed.work_began = false;
    let Verdict::Elsewhere(reason) = decide(&failed, means()) else {
        panic!("a job that never began did not fail by itself");
    };
    assert!(reason.contains("could not start") && reason.contains("diverged"));
}

#[test]
fn a_provider_that_was_given_up_is_left_whatever_it_says_afterwards() {
    for outcome in [Outcome::Cancelled, Outcome::Lost, Outcome::Failed] {
        let mut end = ended(outcome);
        end.given_up = Some("its outputs do not match their hashes".to_owned());
        assert_eq!(
            decide(&end, means()),
            Verdict::Elsewhere("its outputs do not match their hashes".to_owned())
        );
    }
}

#[test]
fn a_cancelled_run_goes_nowhere() {
    let cancelled = Means {
        is_cancelled: true,
        ..means()
    };
    for outcome in [Outcome::Yielded, Outcome::Lost, Outcome::Cancelled] {
        assert_eq!(
            decide(&ended(outcome), cancelled),
            Verdict::Over(Outcome::Cancelled, None)
        );
    }
    assert_eq!(
        decide(&ended(Outcome::Completed), cancelled),
        Verdict::Over(Outcome::Completed, None)
    );
    let hollow = AttemptEnd {
        given_up: Some("it has delivered no model".to_owned()),
        ..ended(Outcome::Completed)
    };
    let over = Verdict::Over(Outcome::Cancelled, None);
    assert_eq!(decide(&hollow, cancelled), over);
    assert!(goes_on(&hollow), "not paid for in vain");
}

#[test]
fn nothing_goes_on_without_money_or_for_ever() {
    let broke = Means {
        remaining: means().tick,
        ..means()
    };
    let spent = decide(&ended(Outcome::Lost), broke);
    assert!(
        matches!(&spent, Verdict::Over(Outcome::OutOfBudget, Some(line)) if line.contains("tick"))
    );
    assert_eq!(
        decide(&ended(Outcome::OutOfBudget), broke),
        Verdict::Over(Outcome::OutOfBudget, None)
    );
    let tried = Means {
        attempts: MAX_ATTEMPTS,
        ..means()
    };
    assert!(matches!(
        decide(&ended(Outcome::Lost), tried),
        Verdict::Over(Outcome::Lost, Some(_))
    ));
}

#[test]
fn an_end_that_was_kept_before_the_node_stopped_is_decided_on_and_not_bought_again() {
    let mut attempt = crate::record::tests::attempt(1, 1_000, 300);
    assert_eq!(AttemptEnd::kept(&attempt), None, "it still runs");
    attempt.phase = Phase::Ended;
    attempt.outcome = Some(Outcome::Completed);
    attempt.meter.running_ms = 5_000;
    let end = AttemptEnd::kept(&attempt).expect("it is over");
    let over = Verdict::Over(Outcome::Completed, None);
    assert_eq!(decide(&end, means()), over);
    attempt.outcome = Some(Outcome::Yielded);
    let end = AttemptEnd::kept(&attempt).expect("it is over");
    assert!(goes_on(&end));
    attempt.lost = Some("silent".to_owned());
    assert_eq!(AttemptEnd::kept(&attempt), None, "given up long ago");
}
