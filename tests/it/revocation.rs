//! Owns the tests of a delegation that is taken back while its node deals: what the node may no longer do, what it
//! says, and that the money it has open comes home.
//!
//! Never waits for a training to end: the job is longer than any limit.

use crate::credits;
use crate::market::Market;
use crate::node::Node;
use crate::program;
use crate::purchase::{self, Purchase};

/// What a node says whose delegation was taken back.
const REVOKED: &str = "has revoked this node on the ledger";

/// What it tells its person to do.
const REMEDY: &str = "nightshift wallet delegate";

#[test]
fn a_revoked_buyer_orders_nothing_gets_its_deposit_back_and_deals_again_when_let() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let file = purchase::long_training(&market);
    let out = market.folder.path().join("out");
    let job = Purchase::start(&market.consumer, &file, &out);
    job.wait_for_step(1);
    let consumer = &market.consumer;
    let node = consumer.id();
    revoke(consumer, &node);
    check_refused(consumer, &file);

    job.interrupt();
    let end = job.end();
    let paid = credits::of(&end.last()["paid"]);
    assert!(paid > 0, "{:?}", end.done);
    // The opening costs a fee, and the revocation costs as much.
    assert_eq!(purchase::check_refund(&market, 2), paid);

    deal_anew(&mut market, &file);
}

/// Revokes a buyer's own node, and looks at how it is listed before and after.
fn revoke(consumer: &Node, node: &str) {
    let before = consumer.json(&["wallet", "delegations"]);
    let own = &before["delegations"][0];
    assert_eq!(
        (&own["own"], &own["revoked"]),
        (&true.into(), &false.into())
    );
    assert_eq!(own["node"], node, "{before}");
    assert!(credits::of(&own["held"]["spent"]) > 0, "{before}");

    let unasked = consumer.run(&["wallet", "revoke", node]);
    assert_ne!(unasked.code, Some(0), "nobody agreed: {unasked:?}");
    let done = consumer.json(&["wallet", "revoke", "--yes", node]);
    let tx = done["tx"].as_str().expect("it is final").to_owned();
    let shown = consumer.run(&["ledger", "show", &tx]).succeeded();
    assert!(
        shown.contains("revoke what") && shown.contains(node),
        "{shown}"
    );
    let after = consumer.json(&["wallet", "delegations"]);
    assert_eq!(after["delegations"][0]["revoked"], true, "{after}");
}

/// A revoked buyer is refused before an offer is looked for, and says why wherever it is asked.
fn check_refused(consumer: &Node, file: &str) {
    let refused = consumer.run(&["run", file, "--yes"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let told = [REVOKED, REMEDY]
        .iter()
        .all(|part| refused.stderr.contains(part));
    assert!(told && !refused.stderr.contains("panicked"), "{refused:?}");
    let status = consumer.run(&["status"]).succeeded();
    assert!(
        status.contains(REVOKED) && status.contains(REMEDY),
        "{status}"
    );
    let doctor = consumer.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("the account has revoked this node"),
        "{doctor:?}"
    );
}

/// Delegates anew, with a cap that is below one job's deposit and above another's.
fn deal_anew(market: &mut Market, file: &str) {
    let cap = ["wallet", "delegate", "--yes", "--spend-cap", "3"];
    let anew = market.consumer.json(&cap);
    assert_eq!(anew["spend_cap"], "3", "{anew}");
    market.consumer.restart();
    market.wait_for_offers(&market.consumer, 1);
    let job = Purchase::start(&market.consumer, file, &market.folder.path().join("second"));
    let needs = "the delegation allows deposits of 3 cr in all";
    let end = job.end();
    assert_ne!(end.done.code, Some(0), "the new cap holds: {:?}", end.done);
    assert!(end.done.stderr.contains(needs), "{:?}", end.done);
    let small =
        purchase::small_training(market, 30, "total = \"1\"\n[limits]\nwall_clock_s = 3600");
    let job = Purchase::start(
        &market.consumer,
        &small,
        &market.folder.path().join("third"),
    );
    let end = job.end();
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
}

#[test]
fn a_revoked_seller_withdraws_its_offer_and_says_why_and_a_stranger_can_be_revoked_by_its_key() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let provider = &market.provider;
    let issue = ["operator", "issue", &provider.account(), "1"];
    market.operator.run(&issue).succeeded();
    // The consumer's node holds nothing of this account, which nobody can know.
    let stranger = market.consumer.id();
    let run = |node: &str| provider.run(&["wallet", "revoke", "--yes", "--for-good", node]);
    run(&stranger).succeeded();
    let again = run(&stranger);
    let is_told = again.stderr.contains("revoked already");
    assert!(again.code != Some(0) && is_told, "{again:?}");
    let listed = provider.json(&["wallet", "delegations"]);
    let rows = listed["delegations"].as_array().expect("a list");
    let of_stranger = rows.iter().find(|row| row["node"] == stranger.as_str());
    let row = of_stranger.expect("what was revoked is listed");
    assert_eq!(
        (&row["revoked"], &row["own"]),
        (&true.into(), &false.into())
    );
    assert!(row["held"].is_null(), "{row}");
    let text = provider.run(&["wallet", "delegations"]).succeeded();
    assert!(text.contains("cannot be listed"), "{text}");
    market.wait_for_offers(&market.consumer, 1);

    run(&provider.id()).succeeded();
    market.wait_for_offers(&market.consumer, 0);
    let status = provider.json(&["status"]);
    let why = status["provider"]["why"].as_str().unwrap_or_default();
    assert!(why.contains(REVOKED), "{status}");
    let balance = provider.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "0.9998", "two fees: {balance}");
    let anew = provider.run(&["wallet", "delegate", "--yes"]);
    assert!(anew.stderr.contains("for good"), "{anew:?}");
    market.operator.stop();
    let verified = market.operator.run(&["ledger", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
