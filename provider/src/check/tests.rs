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

type Grow = fn(&mut Left);

#[test]
fn whatever_a_soak_leaves_is_named() {
    let before = Left {
        processes: 1,
        mounts: 2,
        groups: 3,
        descriptors: 4,
        threads: 5,
        files: 6,
        resident_bytes: 7 << 20,
    };
    let mut warmer = before;
    warmer.resident_bytes += 2 << 20;
    assert!(warmer.leaked_since(&before, &before).is_empty());
    let grown: [(Grow, &str); 7] = [
        (|left| left.processes += 1, "processes: 1 before, 2 now"),
        (|left| left.mounts += 1, "mounts: 2 before, 3 now"),
        (|left| left.groups += 1, "control groups: 3 before, 4 now"),
        (|left| left.descriptors += 1, "descriptors: 4 before, 5 now"),
        (|left| left.threads += 1, "threads: 5 before, 6 now"),
        (|left| left.files += 1, "temporary files: 6 before, 7 now"),
        (
            |left| left.resident_bytes += (2 << 20) + 1,
            "memory: 7.0 MiB after the first jobs, 9.0 now",
        ),
    ];
    for (grow, words) in grown {
        let mut after = before;
        grow(&mut after);
        assert_eq!(after.leaked_since(&before, &before), [words]);
        // Less than before is nothing left.
        assert!(before.leaked_since(&after, &after).is_empty(), "{words}");
    }
}
