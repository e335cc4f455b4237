//! Tests of the judgement, with made-up trials.

use super::*;

fn calls() -> Vec<Attack> {
    Attack::with_calls().collect()
}

fn attempts(outcome: Outcome) -> Vec<Attempt> {
    let attempt = |attack| Attempt { attack, outcome };
    calls().into_iter().map(attempt).collect()
}

fn trial() -> Trial {
    Trial {
        without_seccomp: Some(attempts(Outcome::GotThrough)),
        locked: attempts(Outcome::Stopped(1)),
    }
}

#[test]
fn the_level_opens_only_when_every_attack_is_stopped() {
    let rows = judge(&calls(), &trial(), |_| false).unwrap();
    assert_eq!(level(&rows), SandboxLevel::BuiltInEngine);
    for index in 0..calls().len() {
        let mut leaky = trial();
        leaky.locked[index].outcome = Outcome::GotThrough;
        let rows = judge(&calls(), &leaky, |_| false).unwrap();
        assert_eq!(level(&rows), SandboxLevel::Closed, "row {index}");
    }
}

#[test]
fn an_attack_that_the_agent_saw_closes_the_level_whatever_the_worker_says() {
    let rows = judge(&calls(), &trial(), |attack| attack == Attack::Udp).unwrap();
    assert_eq!(level(&rows), SandboxLevel::Closed);
}

#[test]
fn a_row_reads_as_a_verdict_with_its_evidence() {
    let mut row = judge(&calls(), &trial(), |_| false).unwrap()[0];
    let words = row.to_string();
    assert!(
        words.starts_with("stopped: read a file of the owner"),
        "{words}"
    );
    assert!(words.contains("before seccomp: got through"), "{words}");
    row.arrived = true;
    assert!(row.to_string().starts_with("OPEN"));
}

#[test]
fn a_trial_that_leaves_an_attack_out_is_no_trial() {
    let mut short = trial();
    short.locked.pop();
    assert!(judge(&calls(), &short, |_| false).is_none());
    let mut twice = trial();
    let before = twice.without_seccomp.as_mut().unwrap();
    before[1] = before[0];
    assert!(judge(&calls(), &twice, |_| false).is_none());
}
