//! Tests of how attacks are judged; what real workers do with them stands in the crate's `tests`.

use super::*;

fn attack() -> hostile::Attack {
    hostile::Attack {
        row: 24,
        tried: "a file that lies",
        layer: EngineLayer::StrictReader,
        needs_gpu: false,
        job: hostile::honest(),
    }
}

#[test]
fn only_a_refusal_before_any_work_counts_for_the_layer() {
    for (ending, outcome) in [
        (Ending::Refused, Verdict::Stopped),
        (Ending::Died, Verdict::NotStopped),
        (Ending::Untried, Verdict::NotStopped),
        (Ending::Done, Verdict::NotStopped),
        (Ending::BrokeOff, Verdict::NotStopped),
        (Ending::CardLost, Verdict::NotStopped),
        (Ending::OutOfTime, Verdict::NotStopped),
    ] {
        let found = judge(&attack(), &Heard::nothing(ending, "why"));
        assert_eq!(found.verdict, outcome, "{ending:?}");
        assert_eq!(found.is_open(), outcome == Verdict::NotStopped);
        assert!(!found.evidence.is_empty());
    }
}

#[test]
fn an_honest_job_that_was_not_done_gives_no_files_to_attack_with() {
    assert!(hostile::Files::of(&Heard::nothing(Ending::Refused, "no")).is_none());
    assert!(hostile::Files::of(&Heard::nothing(Ending::Done, "")).is_none());
}

#[test]
fn the_honest_job_is_a_valid_one() {
    assert_eq!(hostile::honest().job.validate(), Ok(()));
}
