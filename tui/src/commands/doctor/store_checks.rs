//! Owns the checks of what is on disk: the node's store with its journal, and the operator's block log.
//!
//! Never migrates, repairs or sets aside; the next start of the node does.

use market_node::log::{LogConfig, LogError, LogRecovery};
use market_node::membership::Membership;
use market_node::store::{self, Inspection, StoreError};

use super::check::Check;
use super::{NodeState, Patient};

/// Where a home keeps the journal of its store.
const JOURNAL: &str = "store.journal";

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
    let has_journal = patient.home.path().join(JOURNAL).is_dir();
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
            if has_journal {
                "check the disk; the next start repairs them from the journal".to_owned()
            } else {
                format!(
                    "check the disk; restore {place} from a backup, or move it away: vouchers in it are then not \
                     claimed"
                )
            },
        ),
        Err(error @ StoreError::NewerSchema { .. }) => Check::failed(
            name,
            error,
            "install the newer release again; it is not touched until then",
        ),
        Err(error) => Check::failed(
            name,
            error,
            if has_journal {
                "the next start sets it aside and makes another from the journal".to_owned()
            } else {
                format!(
                    "the next start sets it aside and begins a fresh one; copy {place} first if money may be in it"
                )
            },
        ),
    }
}

/// Reads the journal of the store, where no node uses it.
pub(super) fn journal(patient: &Patient) -> Check {
    let name = "journal";
    let directory = patient.home.path().join(JOURNAL);
    if !directory.exists() {
        return Check::skipped(name, "there is none before the node's first start");
    }
    let Ok(membership) = Membership::load(&patient.home) else {
        return Check::skipped(name, "the market that it belongs to is not known");
    };
    if !matches!(patient.node, NodeState::Absent(Some(_))) {
        return Check::skipped(name, "the running node has it open");
    }
    let place = directory.display().to_string();
    let config = LogConfig::journal(directory, membership.chain);
    match LogRecovery::read(config, |_, _| Ok::<(), LogError>(())) {
        Err(error) => Check::failed(
            name,
            error,
            format!("the node does not start on a damaged journal; restore {place} from a backup"),
        ),
        Ok(log) => whole(name, &log, "writes"),
    }
}

/// Says how much of a log is whole.
fn whole(name: &'static str, log: &LogRecovery, what: &str) -> Check {
    let records = log.records();
    match log.torn() {
        None => Check::ok(name, format!("{records} {what}, all whole")),
        Some(torn) => Check::warning(
            name,
            format!(
                "{records} {what}, then {} bytes of an unfinished one",
                torn.bytes
            ),
            "nothing is to be done: it was never acknowledged, and the next start cuts it off",
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
    let config = LogConfig::blocks(directory, membership.chain);
    match LogRecovery::read(config, |_, _| Ok::<(), LogError>(())) {
        Err(error) => Check::failed(
            name,
            error,
            "restore ledger/blocks from a backup; the operator does not start on a damaged log",
        ),
        Ok(log) => whole(name, &log, "blocks"),
    }
}
