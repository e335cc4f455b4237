//! Movements that cannot be are refused and leave no trace; that a whole ledger adds up is tested beside the model.

use super::*;
use crate::ids::{AccountId, TxId};

const HERE: Bucket = Bucket::Available(AccountId::from_bytes([1; 32]));
const THERE: Bucket = Bucket::Available(AccountId::from_bytes([2; 32]));

fn movement(debit: Bucket, credit: Bucket, nanocredits: u64) -> Movement {
    Movement {
        cause: Cause::Transaction(TxId::from_bytes([9; 32])),
        transfer: Transfer {
            debit,
            credit,
            amount: Amount::from_nanocredits(nanocredits),
            code: Code::Transfer,
        },
        memo: None,
    }
}

fn balances(entry: &JournalEntry) -> (u64, u64) {
    (
        entry.debit_balance.nanocredits(),
        entry.credit_balance.nanocredits(),
    )
}

#[test]
fn both_sides_are_shown_as_they_are_afterwards() {
    let mut journal = Journal::default();
    let issued = journal.enter(movement(Bucket::Issued, HERE, 70)).unwrap();
    assert_eq!(balances(&issued), (70, 70));
    let paid = journal.enter(movement(HERE, THERE, 30)).unwrap();
    assert_eq!(balances(&paid), (40, 30));
    let burned = journal.enter(movement(THERE, Bucket::Burned, 30)).unwrap();
    assert_eq!(balances(&burned), (0, 30));
}

#[test]
fn what_is_not_there_does_not_leave_and_what_overflows_does_not_enter() {
    let mut journal = Journal::default();
    journal
        .enter(movement(Bucket::Issued, HERE, u64::MAX))
        .unwrap();
    let before = journal.balances.clone();
    let missing = journal.enter(movement(THERE, HERE, 1)).unwrap_err();
    assert_eq!((missing.bucket, missing.direction), (THERE, "leave"));
    let counter = journal
        .enter(movement(Bucket::Issued, THERE, 1))
        .unwrap_err();
    assert_eq!(counter.bucket, Bucket::Issued);
    assert_eq!(journal.balances, before);
    journal.enter(movement(HERE, THERE, 5)).unwrap();
    let before = journal.balances.clone();
    journal
        .balances
        .insert(Bucket::FeePool, Amount::from_nanocredits(u64::MAX));
    let overflow = journal
        .enter(movement(THERE, Bucket::FeePool, 1))
        .unwrap_err();
    assert_eq!(
        (overflow.bucket, overflow.direction),
        (Bucket::FeePool, "enter")
    );
    assert_eq!(journal.balance(THERE), before[&THERE]);
}
