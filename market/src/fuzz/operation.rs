//! Owns trying any operation on a ledger with good signatures, so that its rules are met and not only its seals.
//!
//! Never signs with a key that the small ledger does not know, but for one stranger's.

use super::{canonical, next_time, small, small::SmallLedger};
use crate::keys::SecretKey;
use crate::ledger::{Operation, Transaction, execute, verify_block};
use crate::wire::Payload;

/// Bytes before the transaction: one that chooses the signers, one that chooses what is signed besides.
const CHOICES: usize = 2;

/// Two bytes of choices, then the payload of a transaction: whatever it asks for, a refusal leaves the root as it
/// was, and a block with it replays to the same state and conserves money.
pub fn operation(bytes: &[u8]) -> bool {
    let ledger = SmallLedger::get();
    let Some((choices, payload)) = bytes.split_first_chunk::<CHOICES>() else {
        return false;
    };
    let Some(mut transaction) = canonical::<Transaction>(payload, Transaction::MAX_BYTES) else {
        return false;
    };
    let [signers, extras] = *choices;
    transaction.operation = promised(transaction.operation, extras);
    let keys = signers_of(signers);
    let keys: Vec<&SecretKey> = keys.iter().collect();
    let mut signed = small::seal(&ledger.state, &transaction, &keys);
    if extras & 4 != 0 {
        for delegation in small::delegations(&ledger.state) {
            signed = signed.with_delegation(delegation);
        }
    }
    let now = next_time(&ledger.state);
    let executed = execute(&ledger.state, &[signed], now, &small::operator());
    let executed = executed.expect("the operator's key makes blocks");
    if !executed.rejected.is_empty() {
        assert!(executed.block.receipts.is_empty());
        assert_eq!(executed.block.header.state_root, ledger.state.root());
    }
    let delta = verify_block(&ledger.state, &executed.block);
    let mut after = ledger.state.clone();
    after
        .commit(delta.expect("what was executed replays"))
        .expect("the block follows the tip");
    assert!(after.audit().supply_conserved);
    true
}

/// Turns a payer's statement into the voucher that it could have signed, so that claims can be good.
fn promised(operation: Operation, extras: u8) -> Operation {
    let Operation::PayerClose {
        channel,
        cumulative,
        ..
    } = operation
    else {
        return operation;
    };
    let voucher = small::voucher(&SmallLedger::get().state, channel, cumulative);
    match extras % 4 {
        1 => Operation::Claim { voucher },
        2 => Operation::CoopClose {
            channel,
            voucher: Some(voucher),
        },
        3 => Operation::CoopClose {
            channel,
            voucher: None,
        },
        _ => operation,
    }
}

/// One key a bit.
fn signers_of(chosen: u8) -> Vec<SecretKey> {
    let [one, two] = small::treasury();
    let stranger = SecretKey::from_seed([99; 32]);
    let keys = [
        small::payer(),
        small::payee(),
        small::rig(),
        small::desk(),
        one,
        two,
        stranger,
    ];
    let chosen = keys
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| chosen >> bit & 1 == 1);
    chosen.map(|(_, key)| key).collect()
}
