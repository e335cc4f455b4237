//! The text is what a monitoring system reads, with every figure under its name.

use market::ledger::{CertifiedHeader, State};

use super::*;
use crate::ledger::testing::{genesis, key};

fn figures() -> Figures {
    let state = State::genesis(&genesis()).unwrap();
    let head = CertifiedHeader::sign(state.tip().clone(), &key(200));
    let mut audit = state.audit();
    audit.issued = Amount::from_nanocredits(10_000_000_000_000_000_000);
    audit.fee_pool = Amount::from_nanocredits(7);
    Figures {
        status: LedgerStatus { head, audit },
        tallied: Tallied {
            finals: 12,
            rejected: BTreeMap::from([("insufficient", 3), ("too_late", 1)]),
            unavailable: BTreeMap::new(),
        },
        peers: 4,
    }
}

#[test]
fn every_figure_has_a_line_with_its_name() {
    let text = text(&figures()).unwrap();
    for line in [
        "# TYPE nightshift_ledger_height gauge",
        "nightshift_ledger_height 0",
        "nightshift_network_peers 4",
        "nightshift_money_fees_nanocredits 7",
        "nightshift_money_conserved 1",
        "# TYPE nightshift_transactions_final counter",
        "nightshift_transactions_final_total 12",
        "nightshift_transactions_rejected_total{reason=\"insufficient\"} 3",
        "nightshift_transactions_rejected_total{reason=\"too_late\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
    }
}

#[test]
fn money_is_never_rounded() {
    let text = text(&figures()).unwrap();
    // Above the largest signed number the line would be a lie: all the money that there can be is.
    let line = text
        .lines()
        .find(|line| line.starts_with("nightshift_money_issued_nanocredits"));
    assert_eq!(
        line,
        Some("nightshift_money_issued_nanocredits 10000000000000000000")
    );
}
