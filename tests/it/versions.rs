//! Owns the test of a market whose nodes come from several releases: who is older is said, with what to do, and the
//! others go on trading.
//!
//! Never builds another release: the strangers say that they speak another version, and speak no other.

use market_node::network::{Spoken, Versions};
use serde_json::Value;

use crate::hostile::{Peer, Stage};
use crate::program;

#[test]
fn nodes_of_other_releases_are_told_apart_and_the_work_goes_to_one_that_fits() {
    if !program::has_adapter() {
        return;
    }
    let stage = Stage::build();
    let speaking = |version| Versions::default().with(Spoken::Lease, version);
    let (newer, _newer_inbox) = stage.offer_from("newer", speaking(2), "0.01");
    let (older, _older_inbox) = stage.offer_from("older", speaking(0), "0.02");
    stage.market.wait_for_offers(&stage.market.consumer, 3);
    let purchase = stage.buy("mixed", "total = \"0.2\"");
    let told = |peer: &Peer, parts: &[&str]| {
        let node = peer.stranger.node().to_string();
        let mut events = purchase.events.iter();
        let refused = events.find(|event| event["event"] == "refused" && event["node"] == *node);
        let refused = refused.unwrap_or_else(|| panic!("not refused: {}", purchase.done.stdout));
        let reason = refused["reason"].as_str().unwrap_or_default();
        for part in parts {
            assert!(reason.contains(part), "{part:?} is not said: {reason}");
        }
    };
    told(
        &newer,
        &[
            "lease/1",
            "lease/2",
            "this program",
            "is older",
            "install the newer release",
        ],
    );
    told(&older, &["lease/1", "lease/0", "their program", "is older"]);
    let last = purchase.events.last().cloned().unwrap_or_default();
    let ended = (purchase.done.code, &last["outcome"], &last["provider"]);
    let honest = Value::from(stage.honest.to_string());
    assert_eq!(ended, (Some(0), &"completed".into(), &honest), "{last}");
    known_on_the_other_side(&newer, "their program");
    known_on_the_other_side(&older, "this program");
}

/// Who is connected with a node of another release knows as well who is older.
fn known_on_the_other_side(peer: &Peer, who: &str) {
    let peers = peer.act(peer.stranger.network.peers());
    let introductions = peers.into_iter().filter_map(|peer| peer.introduction);
    let gaps: Vec<String> = introductions
        .flat_map(|introduction| introduction.gaps)
        .map(|gap| gap.to_string())
        .collect();
    let is_older = |gap: &String| gap.contains(who) && gap.contains("is older");
    assert!(gaps.iter().any(is_older), "{who:?} is not said: {gaps:?}");
}
