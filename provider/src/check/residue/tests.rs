//! Tests of the judgement; real workers on the processor that poses as a card are in the crate's `tests`.

use super::*;

fn residue(not_zero: u64, of_pattern: u64) -> Residue {
    Residue {
        numbers: 100,
        not_zero,
        of_pattern,
    }
}

#[test]
fn zeros_count_only_where_the_pattern_was_there() {
    let there = residue(100, 100);
    for (left, found, verdict) in [
        (there, residue(0, 0), Verdict::Stopped),
        (there, residue(1, 0), Verdict::NotStopped),
        (there, residue(7, 7), Verdict::NotStopped),
        (residue(0, 0), residue(0, 0), Verdict::NotStopped),
        (residue(100, 99), residue(0, 0), Verdict::NotStopped),
    ] {
        let judged = judge(left, found);
        assert_eq!(judged.verdict, verdict, "{left:?} {found:?}");
    }
    let nothing = Residue {
        numbers: 0,
        ..residue(0, 0)
    };
    assert_eq!(judge(there, nothing).verdict, Verdict::NotStopped);
}
