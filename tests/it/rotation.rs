//! Owns the tests of an operator that signs with a new key: a market goes on over it, whoever was there and whoever
//! was not.
//!
//! Never reads a key but to see whose it is by its file's name.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::market::{LISTEN, Market, Plan};
use crate::node::{Node, free_address, multiaddr};
use crate::program;
use crate::purchase::{self, Purchase};

/// Steps of a job that is under way while the key changes.
const STEPS: u32 = 400;

/// What that job may cost.
const BUDGET: &str = "total = \"0.5\"\ndelivery_ticks = 300";

fn found(folder: &Path) -> (Node, String) {
    let home = folder.join("operator");
    program::run(&home, &["operator", "init", "--name", "test"]).succeeded();
    // An address of its own, where it is found again after a restart.
    let address = multiaddr(free_address());
    let run = ["operator", "run", "--listen", &address];
    let operator = Node::start(&home, &run, "The operator runs");
    let status = operator.json(&["operator", "status"]);
    let join = status["join"].as_str().expect("a join string").to_owned();
    (operator, join)
}

fn member(folder: &Path, name: &str, join: &str) -> Node {
    let home = folder.join(name);
    program::run(&home, &["init", "--join", join]).succeeded();
    Node::start(&home, &["up", "--listen", LISTEN], "It buys and watches")
}

fn rotate(operator: &Node) -> Value {
    operator.json(&["operator", "rotate-key", "--yes"])
}

fn send(from: &Node, to: &str, amount: &str) -> String {
    let sent = from.json(&["wallet", "send", "--yes", to, amount]);
    sent["tx"].as_str().expect("a transaction").to_owned()
}

/// The files of keys that sign blocks, or did.
fn operator_keys(home: &Path) -> Vec<String> {
    let files = fs::read_dir(home.join("keys")).expect("a home has keys");
    let names = files.map(|file| file.expect("it can be read").file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| name.starts_with("operator"));
    names.sort();
    names
}

fn check_adds_up(operator: &Node) {
    let verified = operator.json(&["ledger", "verify"]);
    assert_eq!(verified["conserved"], true, "{verified}");
    assert_eq!(verified["journal_agrees"], true, "{verified}");
}

/// What was final under an earlier key is proved to this day.
fn check_proved(node: &Node, transactions: &[&str]) {
    for tx in transactions {
        let shown = node.json(&["ledger", "show", tx]);
        assert_eq!(shown["is"], "transaction", "{shown}");
    }
    let audit = node.json(&["ledger", "audit", &node.account()]);
    assert_eq!(audit["problem"], Value::Null, "{audit}");
    assert_eq!(audit["movements"], audit["proved"], "{audit}");
}

#[test]
fn a_market_goes_on_over_new_keys_for_those_who_were_there_and_those_who_were_not() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = folder.path();
    let (mut operator, join) = found(folder);
    let present = member(folder, "present", &join);
    let mut absent = member(folder, "absent", &join);
    let (own, theirs) = (present.account(), absent.account());
    let issued = operator.json(&["operator", "issue", &own, "10"]);
    let before = send(&present, &theirs, "2");
    absent.json(&["wallet", "balance"]);
    absent.kill();

    let asked = operator.run(&["operator", "rotate-key"]);
    assert_eq!(asked.code, Some(1), "nobody said yes: {asked:?}");
    assert!(asked.stderr.contains("pass --yes"), "{asked:?}");
    assert!(operator_keys(&operator.home).is_empty(), "nothing was done");

    let first = rotate(&operator);
    assert_eq!(operator_keys(&operator.home), ["operator.key"]);
    send(&present, &theirs, "1");
    let second = rotate(&operator);
    assert_eq!(second["previous"], first["operator"], "{second}");
    let retired = first["operator"].as_str().expect("a key");
    let names = [
        format!("operator-retired-{retired}.key"),
        "operator.key".to_owned(),
    ];
    assert_eq!(operator_keys(&operator.home), names);

    // A restart finds its key, and the address is what it was.
    operator.kill();
    operator.restart();
    let status = operator.json(&["operator", "status"]);
    assert_eq!(status["operators"], serde_json::json!([second["operator"]]));
    assert_eq!(status["operators_since"], second["since"], "{status}");

    let after = present.retry("a payment after the restart", || {
        let sent = present.run(&["wallet", "send", "--yes", &theirs, "1", "--json"]);
        serde_json::from_str::<Value>(&sent.stdout).map_err(|_| sent.stderr)
    });
    let block = present.json(&["ledger", "show", &after["height"].to_string()]);
    assert_eq!(block["proposer"], second["operator"], "{block}");

    let issued = issued["tx"].as_str().expect("a transaction");
    check_proved(&present, &[&before, issued]);

    // Who was away over both changes follows them, and a newcomer needs no more than the old join string.
    absent.restart();
    let newcomer = member(folder, "newcomer", &join);
    for node in [&absent, &newcomer, &present] {
        let set = node.json(&["ledger", "show", "operators"]);
        assert_eq!(
            set["operators"],
            serde_json::json!([second["operator"]]),
            "{set}"
        );
        assert_eq!(set["since"], second["since"], "{set}");
        assert!(set["proof"]["bytes"].as_u64() > Some(0), "{set}");
    }
    assert_eq!(absent.json(&["wallet", "balance"])["available"], "4");
    send(&absent, &newcomer.account(), "1");
    assert_eq!(newcomer.json(&["wallet", "balance"])["available"], "1");
    check_adds_up(&operator);
}

#[test]
fn changes_that_are_asked_for_at_once_come_one_after_the_other() {
    const CHANGES: usize = 6;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (mut operator, _) = found(folder.path());
    std::thread::scope(|scope| {
        let rotate = || scope.spawn(|| rotate(&operator));
        let rotating: Vec<_> = (0..CHANGES).map(|_| rotate()).collect();
        for rotated in rotating {
            rotated.join().expect("each is final");
        }
    });
    assert_eq!(operator_keys(&operator.home).len(), CHANGES, "none is lost");
    operator.kill();
    operator.restart();
    check_adds_up(&operator);
}

#[test]
fn an_operator_with_the_old_key_alone_does_not_start() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (mut operator, _) = found(folder.path());
    let rotated = rotate(&operator);
    operator.kill();
    let key = operator.home.join("keys/operator.key");
    let aside = operator.home.join("keys/aside");
    fs::rename(&key, &aside).expect("the new key is there");
    let run = ["operator", "run", "--listen", LISTEN];
    let done = program::run(&operator.home, &run);
    assert_eq!(done.code, Some(1), "{done:?}");
    let signer = rotated["operator"].as_str().expect("a key");
    for part in [signer, "Restore keys/operator.key"] {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
    // With its key back it goes on.
    fs::rename(&aside, &key).expect("the test owns it");
    operator.restart();
    check_adds_up(&operator);
}

#[test]
fn a_job_goes_on_over_a_new_key_and_is_paid() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan::default();
    let market = Market::found(&plan);
    let file = purchase::small_training(&market, STEPS, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_step(2 * purchase::CHECKPOINT_EVERY + 5);
    let rotated = rotate(&market.operator);
    let end = job.end();
    assert_eq!(end.last()["outcome"], "completed", "{:?}", end.done);
    let next = Purchase::start(&market.consumer, &file, &market.folder.path().join("again"));
    let end = next.end();
    assert_eq!(end.last()["outcome"], "completed", "{:?}", end.done);
    for node in [&market.consumer, &market.provider] {
        let set = node.json(&["ledger", "show", "operators"]);
        assert_eq!(set["since"], rotated["since"], "{set}");
    }
    check_adds_up(&market.operator);
}
