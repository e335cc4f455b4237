//! Owns the checks of what is on disk: the node's store, and the operator's block log.
//!
//! Never migrates, repairs or sets aside; the next start of the node does.

use market_node::ledger::log::{LogConfig, LogError, LogRecovery, SEGMENT_BYTES};
use market_node::membership::Membership;
use market_node::store::{self, Inspection, StoreError};

use super::check::Check;
use super::{NodeState, Patient};

/// Reads every value of the store, where no node uses it.
pub(super) fn store(patient: &Patient) -> Check {
    let name = "store";
    let directory = patient.home.path().join("store");
    match &patient.node {
        NodeState::Answers(_) => {
            return Check::ok(name, "the running node has it open and works with it");
        }
        NodeState::Silent(_) | NodeState::Absent(None) => {
            return Check::skipped(name, "another process may be using it");
        }
        NodeState::Absent(Some(_)) if !directory.join("db").exists() => {
            return Check::skipped(name, "there is none before the node's first start");
        }
        NodeState::Absent(Some(_)) => {}
    }
    let inspected = store::inspect(&directory);
    let place = directory.display();
    match inspected {
        Ok(Inspection {
            schema,
            newest,
            values,
            damaged: 0,
        }) if schema < newest => Check::warning(
            name,
            format!("{values} values in the older schema {schema}"),
            "the next start migrates it and leaves a backup beside it",
        ),
        Ok(Inspection {
            schema,
            values,
            damaged: 0,
            ..
        }) => Check::ok(name, format!("{values} values, all whole, schema {schema}")),
        Ok(Inspection {
            values, damaged, ..
        }) => Check::failed(
            name,
            format!("{damaged} of {values} values do not verify"),
            format!(
                "check the disk; restore {place} from a backup, or move it away: vouchers in it are then not claimed"
            ),
        ),
        Err(error @ StoreError::NewerSchema { .. }) => Check::failed(
            name,
            error,
            "install the newer release again; it is not touched until then",
        ),
        Err(error) => Check::failed(
            name,
            error,
            format!(
                "the next start sets it aside and begins a fresh one; copy {place} first if money may be in it"
            ),
        ),
    }
}

/// Reads the operator's block log, where this home has one and no node uses it.
pub(super) fn ledger(patient: &Patient) -> Check {
    let name = "ledger";
    let directory = patient.home.path().join("ledger/blocks");
    if !directory.exists() {
        return Check::skipped(name, "this home is no operator's");
    }
    let Ok(membership) = Membership::load(&patient.home) else {
        return Check::skipped(name, "the market that it belongs to is not known");
    };
    if !matches!(patient.node, NodeState::Absent(Some(_))) {
        return Check::skipped(name, "the running operator has it open");
    }
    let config = LogConfig {
        directory,
        chain: membership.chain,
        segment_bytes: SEGMENT_BYTES,
    };
    match LogRecovery::read(config, |_, _| Ok::<(), LogError>(())) {
        Err(error) => Check::failed(
            name,
            error,
            "restore ledger/blocks from a backup; the operator does not start on a damaged log",
        ),
        Ok(log) => match log.torn() {
            None => Check::ok(name, format!("{} blocks, all whole", log.records())),
            Some(torn) => Check::warning(
                name,
                format!(
                    "{} blocks, then {} bytes of an unfinished one",
                    log.records(),
                    torn.bytes
                ),
                "nothing is to be done: it was never acknowledged, and the next start cuts it off",
            ),
        },
    }
}
