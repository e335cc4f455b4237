//! Owns the tests of a treasury with several keys: what one holder begins, another signs, and only then does the
//! supply change.
//!
//! Never signs in the test: the programs in the holders' homes do.

use serde_json::Value;

use crate::market::LISTEN;
use crate::node::Node;
use crate::program;

/// A market whose operator holds one of three treasury keys, two of which must sign.
struct Treasury {
    operator: Node,
    folder: tempfile::TempDir,
}

impl Treasury {
    fn found() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let address = |name: &str| {
            let home = folder.path().join(name);
            let made = program::run(&home, &["operator", "treasury-key"]).succeeded();
            let again = program::run(&home, &["operator", "treasury-key"]).succeeded();
            assert_eq!(made, again, "a key is made once");
            made.trim().to_owned()
        };
        let (second, third) = (address("second"), address("third"));
        let home = folder.path().join("operator");
        let keys = ["--treasury", &second, "--treasury", &third];
        let init = [
            &["operator", "init", "--treasury-threshold", "2"],
            &keys[..],
        ]
        .concat();
        let founded = program::run(&home, &init).succeeded();
        assert!(founded.contains("2 such keys together"), "{founded:?}");
        let run = ["operator", "run", "--listen", LISTEN];
        let operator = Node::start(&home, &run, "The operator runs");
        Self { operator, folder }
    }

    /// Lets a holder join, so that its home knows the market.
    fn join(&self, name: &str) {
        let status = self.operator.json(&["operator", "status"]);
        let join = status["join"].as_str().expect("a join string").to_owned();
        let home = self.folder.path().join(name);
        program::run(&home, &["init", "--join", &join]).succeeded();
    }

    fn at(&self, name: &str, arguments: &[&str]) -> program::Done {
        program::run(&self.folder.path().join(name), arguments)
    }

    fn supply(&self) -> Value {
        self.operator.json(&["operator", "status"])["audit"].clone()
    }
}

#[test]
fn a_supply_changes_when_enough_holders_have_signed_and_not_before() {
    let treasury = Treasury::found();
    treasury.join("second");
    let own = treasury.at("operator", &["wallet", "address"]).succeeded();
    let own = own.trim().to_owned();
    let file = treasury.folder.path().join("change.json");
    let file = file.to_str().expect("temporary paths are UTF-8");

    let alone = treasury.at("operator", &["operator", "issue", &own, "10"]);
    assert_eq!(alone.code, Some(1), "{alone:?}");
    assert!(alone.stderr.contains("--propose FILE"), "{alone:?}");
    let issue = ["operator", "issue", &own, "10", "--propose", file];
    let begun = treasury.at("operator", &issue).succeeded();
    assert!(begun.contains("1 of 2 treasury signatures"), "{begun:?}");
    let again = treasury.at("operator", &issue);
    assert!(again.stderr.contains("is there already"), "{again:?}");
    let early = treasury.at("operator", &["operator", "submit", file]);
    assert!(
        early.stderr.contains("cannot be submitted yet"),
        "{early:?}"
    );
    assert_eq!(treasury.supply()["issued"], "0");

    let unasked = treasury.at("second", &["operator", "cosign", file]);
    assert!(unasked.stderr.contains("issue 10"), "{unasked:?}");
    let signed = treasury.at("second", &["operator", "cosign", file, "--yes"]);
    assert!(signed.succeeded().contains("operator submit"));
    for _ in 0..2 {
        treasury
            .at("operator", &["operator", "submit", file])
            .succeeded();
        assert_eq!(treasury.supply()["issued"], "10", "a proposal applies once");
    }

    std::fs::remove_file(file).expect("the proposal can be removed");
    let redeem = ["operator", "redeem", "4", "--yes", "--propose", file];
    let begun = treasury.at("operator", &redeem).succeeded();
    assert!(begun.contains("1 more treasury key must sign"), "{begun:?}");
    treasury
        .at("second", &["operator", "cosign", file, "--yes"])
        .succeeded();
    treasury
        .at("operator", &["operator", "submit", file])
        .succeeded();
    let supply = treasury.supply();
    assert_eq!(
        (&supply["redeemed"], &supply["available"]),
        (&"4".into(), &"6".into())
    );
    assert_eq!(supply["conserved"], true);
}

#[test]
fn who_has_no_treasury_key_and_a_threshold_that_cannot_be_met_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let impossible = ["operator", "init", "--treasury-threshold", "2"];
    let refused = program::run(&folder.path().join("impossible"), &impossible);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("2 of 1 treasury keys"),
        "{refused:?}"
    );
    let treasury = Treasury::found();
    treasury.join("stranger");
    let file = treasury.folder.path().join("change.json");
    let file = file.to_str().expect("temporary paths are UTF-8");
    let own = treasury.at("operator", &["wallet", "address"]).succeeded();
    let issue = ["operator", "issue", own.trim(), "10", "--propose", file];
    treasury.at("operator", &issue).succeeded();
    let refused = treasury.at("stranger", &["operator", "cosign", file, "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("no key whose signature is missing"),
        "{refused:?}"
    );
    std::fs::write(file, "{}").expect("the proposal can be spoilt");
    let refused = treasury.at("second", &["operator", "cosign", file, "--yes"]);
    assert!(
        refused.stderr.contains("init --join"),
        "it has not joined: {refused:?}"
    );
    treasury.join("second");
    let refused = treasury.at("second", &["operator", "cosign", file, "--yes"]);
    assert!(refused.stderr.contains("is not a proposal"), "{refused:?}");
}

#[test]
fn who_has_founded_a_market_and_not_started_it_is_told_how() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    program::run(folder.path(), &["operator", "init"]).succeeded();
    let told = program::run(folder.path(), &["operator", "status"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(
        told.stderr.contains("`nightshift operator run`"),
        "{told:?}"
    );
}
