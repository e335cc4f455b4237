//! Owns how one entry of the history is shown: its words, its sign, its other side.
//!
//! Never computes money: amounts are written as the ledger has them.

use market::AccountId;
use market::ledger::{Bucket, Cause, ChannelRecord, Code};

use super::super::views::HistoryRow;
use super::causes::{Causes, PaidBy, transaction};
use crate::ledger::protocol::HistoryEntry;

/// Shows an entry of `own`'s history; its run is for the caller to look up.
pub(super) fn row(entry: &HistoryEntry, own: AccountId, causes: &Causes) -> HistoryRow {
    let transfer = &entry.transfer;
    let (sign, other) = match transfer.credit == Bucket::Available(own) {
        true => ('+', transfer.debit),
        false => ('-', transfer.credit),
    };
    let record = causes.record(entry);
    let counterparty = match other {
        Bucket::Available(other) => Some(other),
        _ => record.and_then(|record| other_side(record, own)),
    };
    let memo = entry.memo.as_ref().map(ToString::to_string);
    HistoryRow {
        height: entry.at.height,
        index: entry.at.index,
        time: entry.time,
        what: what(entry, causes.paid_by(entry)),
        code: transfer.code,
        change: format!("{sign}{}", transfer.amount.decimal()),
        balance: entry.balance,
        counterparty,
        channel: causes.channel(entry),
        // An agreement between others is none of this account's, whatever the history says.
        agreement: record
            .filter(|record| other_side(record, own).is_some())
            .map(|record| record.agreement),
        run: None,
        tx: transaction(entry),
        memo: memo.unwrap_or_default(),
    }
}

/// Names what happened; where it is not known by what a channel paid, as the ledger names the movement.
fn what(entry: &HistoryEntry, paid_by: Option<PaidBy>) -> String {
    let code = entry.transfer.code;
    let known = match (code, entry.cause, paid_by) {
        (Code::Deposit, _, _) => "channel opened",
        (Code::Payout, _, Some(PaidBy::Opening)) => "first tick",
        (Code::Payout, _, Some(PaidBy::Claim)) => "claim",
        (Code::Payout, _, Some(PaidBy::Close)) => "close",
        (Code::Payout, _, Some(PaidBy::PayerClose)) => "close by the payer",
        (Code::Refund, Cause::Transaction(_), _) => "refund at the close",
        (Code::Refund, Cause::Deadline(_), _) => "refund at the deadline",
        _ => return code.to_string(),
    };
    known.to_owned()
}

/// Returns the side of a channel that `own` is not; `own` where it is both, `None` where it is neither.
fn other_side(record: &ChannelRecord, own: AccountId) -> Option<AccountId> {
    let (payer, payee) = (record.payer.account, record.payee.account);
    if payer == own {
        Some(payee)
    } else {
        (payee == own).then_some(payer)
    }
}
