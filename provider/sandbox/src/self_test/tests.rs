//! Tests of the judgement, with made-up trials, and of the agent's own look at its targets.

use std::net::{TcpStream, UdpSocket};

use super::*;

fn attempts(outcome: Outcome) -> Vec<Attempt> {
    Attack::ALL
        .iter()
        .map(|&attack| Attempt { attack, outcome })
        .collect()
}

fn trial() -> Trial {
    Trial {
        without_seccomp: attempts(Outcome::GotThrough),
        locked: attempts(Outcome::Stopped(1)),
    }
}

#[test]
fn the_level_opens_only_when_every_attack_is_stopped() {
    let rows = judge(&trial(), |_| false).unwrap();
    assert_eq!(level(&rows), SandboxLevel::BuiltInEngine);
    for index in 0..Attack::ALL.len() {
        let mut leaky = trial();
        leaky.locked[index].outcome = Outcome::GotThrough;
        let rows = judge(&leaky, |_| false).unwrap();
        assert_eq!(level(&rows), SandboxLevel::Closed, "row {index}");
    }
}

#[test]
fn an_attack_that_the_agent_saw_closes_the_level_whatever_the_worker_says() {
    let rows = judge(&trial(), |attack| attack == Attack::Udp).unwrap();
    assert_eq!(level(&rows), SandboxLevel::Closed);
}

#[test]
fn a_row_reads_as_a_verdict_with_its_evidence() {
    let mut row = judge(&trial(), |_| false).unwrap()[0];
    let words = row.to_string();
    assert!(
        words.starts_with("stopped: read a file of the owner"),
        "{words}"
    );
    assert!(words.contains("without seccomp: got through"), "{words}");
    row.arrived = true;
    assert!(row.to_string().starts_with("OPEN"));
}

#[test]
fn a_trial_that_leaves_an_attack_out_is_no_trial() {
    let mut short = trial();
    short.locked.pop();
    assert!(judge(&short, |_| false).is_none());
    let mut twice = trial();
    twice.without_seccomp[1] = twice.without_seccomp[0];
    assert!(judge(&twice, |_| false).is_none());
}

#[test]
fn the_agent_sees_what_reaches_its_targets_and_nothing_else() {
    let watched = Watched::set_up().unwrap();
    for attack in Attack::ALL {
        assert!(!watched.saw(attack), "{attack} before any attack");
    }
    let targets = watched.targets();
    let _open = TcpStream::connect(targets.tcp()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", targets.udp()).unwrap();
    std::fs::write(targets.intruder(), "x").unwrap();
    for attack in [Attack::Tcp, Attack::Udp, Attack::WriteFile] {
        assert!(watched.saw(attack), "{attack} after it");
    }
    let folder = targets.folder().to_owned();
    drop(watched);
    assert!(!folder.exists());
}
