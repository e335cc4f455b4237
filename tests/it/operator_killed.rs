//! Owns the test of an operator that is killed in the middle of its work, again and again: what it acknowledged
//! is there exactly once after every restart.
//!
//! Never counts what was not acknowledged: it may be final or not.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::credits::nano;
use crate::market::LISTEN;
use crate::node::{LONGEST_PAGE, Node};
use crate::program;

/// How long a few acknowledgements may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Times that the operator is killed.
const KILLS: u32 = 3;

/// Acknowledgements before each kill.
const ACKNOWLEDGED: usize = 8;

/// Those who issue at the same time.
const ISSUERS: u32 = 4;

/// Issues amounts that nobody else issues, one after the other, until the operator is gone.
fn issuer(operator: &Node, acknowledged: Sender<i128>, first: u32) -> JoinHandle<()> {
    let (home, account) = (operator.home.clone(), operator.account());
    std::thread::spawn(move || {
        for number in (first..).step_by(ISSUERS as usize) {
            let amount = format!("1.{number:09}");
            let issued = program::run(&home, &["operator", "issue", &account, &amount]);
            match issued.code {
                Some(0) => {
                    let _over = acknowledged.send(nano(&amount));
                }
                _ => return,
            }
        }
    })
}

/// Waits for some acknowledgements.
fn receive(acknowledged: &Receiver<i128>) -> Vec<i128> {
    let wait = |_| {
        acknowledged
            .recv_timeout(LIMIT)
            .expect("the operator acknowledges in time")
    };
    (0..ACKNOWLEDGED).map(wait).collect()
}

#[test]
fn what_an_operator_acknowledged_is_there_once_however_often_it_is_killed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("operator");
    program::run(&home, &["operator", "init"]).succeeded();
    let run = ["operator", "run", "--listen", LISTEN];
    let mut operator = Node::start(&home, &run, "The operator runs");
    let mut promised = BTreeSet::new();
    for round in 0..KILLS {
        let (sender, acknowledged) = channel();
        let first = |index| 1 + round * 1_000 * ISSUERS + index;
        let issuers: Vec<JoinHandle<()>> = (0..ISSUERS)
            .map(|index| issuer(&operator, sender.clone(), first(index)))
            .collect();
        drop(sender);
        promised.extend(receive(&acknowledged));
        operator.kill();
        for issuer in issuers {
            issuer.join().expect("an issuer does not panic");
        }
        promised.extend(acknowledged.try_iter());
        operator.restart();
        check(&operator, &promised);
    }
}

/// Every promised amount came in once, and the money adds up.
fn check(operator: &Node, promised: &BTreeSet<i128>) {
    let history = operator.history(LONGEST_PAGE);
    let changes: Vec<i128> = history
        .iter()
        .map(|row| nano(row["change"].as_str().expect("a change")))
        .collect();
    for amount in promised {
        let times = changes.iter().filter(|change| *change == amount).count();
        assert_eq!(times, 1, "{amount} was acknowledged: {history:?}");
    }
    let status = operator.json(&["operator", "status"]);
    assert_eq!(status["audit"]["conserved"], true, "{status}");
    let balance = operator.json(&["wallet", "balance"]);
    assert_eq!(
        crate::credits::of(&balance["available"]),
        changes.iter().sum::<i128>()
    );
}
