//! Owns what each decoder of this crate must hold to, whatever bytes come: no panic, one form of bytes a value,
//! sizes within their caps, and rules that a signed transaction cannot get around.
//!
//! Compiled for tests and for fuzzing alone. Never makes bytes up: the tests beside it and the fuzzer in
//! `tests/fuzz` do. Every function tells whether the bytes meant something.

#[path = "../../tests/fuzz/check.rs"]
mod check;
mod operation;
mod small;

use check::canonical;
pub use operation::operation;
use small::SmallLedger;

use crate::agreement::{Meter, Terms};
use crate::amount::SUPPLY_CAP;
use crate::delegation::{Act, Delegation, Permission, authorise};
use crate::genesis::Genesis;
use crate::ledger::{
    Block, CertifiedHeader, EpochProof, EquivocationProof, FinalityProof, Leaf, SignedTransaction,
    State, StateProof, Transaction, TrustedSet, verify_block,
};
use crate::voucher::Voucher;
use crate::wire::{self, MAX_MESSAGE_BYTES, Payload, Signed};
use crate::{Amount, Timestamp};

/// A decoder: the name of its folder in the corpus, and what its bytes must hold to.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// Every decoder of this crate that the ledger stands on.
pub const DECODERS: [Decoder; 14] = [
    ("amount", amount),
    ("block", block),
    ("certified_header", certified_header),
    ("delegation", delegation),
    ("epoch_proof", epoch_proof),
    ("equivocation_proof", equivocation_proof),
    ("finality_proof", finality_proof),
    ("genesis", genesis),
    ("leaf", leaf),
    ("operation", operation),
    ("signed_transaction", signed_transaction),
    ("state_proof", state_proof),
    ("terms", terms),
    ("voucher", voucher),
];

/// A transaction as it travels, and all its seals on a fixed chain.
pub fn signed_transaction(bytes: &[u8]) -> bool {
    let ledger = SmallLedger::get();
    let Some(signed) = canonical::<SignedTransaction>(bytes, SignedTransaction::MAX_BYTES) else {
        return false;
    };
    assert_eq!(SignedTransaction::decode(bytes).as_ref(), Ok(&signed));
    let chain = ledger.state.chain();
    if let Ok(verified) = signed.verify(chain) {
        assert_eq!(verified.id, signed.id(chain));
        let payload = wire::encode(&verified.transaction);
        assert!(payload.len() <= Transaction::MAX_BYTES);
        let _refused_or_not = ledger.state.check(&signed, ledger.state.tip().time);
    }
    true
}

/// A whole block, replayed on a ledger that it may or may not follow.
pub fn block(bytes: &[u8]) -> bool {
    let ledger = SmallLedger::get();
    let Some(block) = canonical::<Block>(bytes, Block::MAX_BYTES) else {
        return false;
    };
    let _memos = block.movements().count();
    let _proofs = block.prove_all();
    for state in [&ledger.before, &ledger.state] {
        if let Ok(delta) = verify_block(state, &block) {
            assert_eq!(delta.header(), &block.header);
        }
    }
    true
}

/// A voucher, with and without its seal.
pub fn voucher(bytes: &[u8]) -> bool {
    let bare = canonical::<Voucher>(bytes, Voucher::MAX_BYTES).is_some();
    let ledger = SmallLedger::get();
    match canonical::<Signed<Voucher>>(bytes, SignedTransaction::MAX_BYTES) {
        Some(signed) => {
            let _stranger_or_not = signed.verify(ledger.state.chain());
            true
        }
        None => bare,
    }
}

/// A delegation, with and without its seal, and what it would let its node do.
pub fn delegation(bytes: &[u8]) -> bool {
    let bare = canonical::<Delegation>(bytes, Delegation::MAX_BYTES).is_some();
    let ledger = SmallLedger::get();
    let Some(signed) = canonical::<Signed<Delegation>>(bytes, SignedTransaction::MAX_BYTES) else {
        return bare;
    };
    let act = Act {
        account: small::payer().account(),
        node: small::rig().node(),
        wanted: Permission::Buy,
    };
    let tip = ledger.state.tip();
    if let Ok(delegation) = authorise(&signed, act, &tip.chain_id, tip.time) {
        assert_eq!(
            (delegation.account, delegation.node),
            (act.account, act.node)
        );
        assert!(delegation.permission.includes(act.wanted) && tip.time < delegation.expires_at);
    }
    true
}

/// The terms of an agreement, their ranges, their ids and their arithmetic.
pub fn terms(bytes: &[u8]) -> bool {
    let Some(terms) = canonical::<Terms>(bytes, Terms::MAX_BYTES) else {
        return false;
    };
    let chain = SmallLedger::get().state.chain();
    assert_ne!(
        terms.id(chain).as_bytes(),
        terms.channel_id(chain).as_bytes()
    );
    let long = Meter {
        running_ms: u64::MAX,
        hold_ms: u64::MAX,
    };
    let _fits_or_not = terms.rates.due(long);
    let _covered = terms.rates.covered_ms(long, terms.deposit);
    if terms.validate().is_ok() {
        let first = terms.rates.first_tick();
        assert!(first.is_some_and(|first| first <= terms.deposit));
    }
    true
}

/// A proof that something happened.
pub fn finality_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<FinalityProof>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    if let Ok(receipt) = proof.verify(&SmallLedger::get().trusted) {
        assert_eq!(receipt, &proof.receipt);
    }
    true
}

/// A proof that something is so.
pub fn state_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<StateProof>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    if let Ok(leaf) = proof.verify(&SmallLedger::get().trusted) {
        assert_eq!(leaf, &proof.leaf);
    }
    true
}

/// A header with the votes for it, as gossip carries it.
pub fn certified_header(bytes: &[u8]) -> bool {
    let Some(certified) = canonical::<CertifiedHeader>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    let trusted = &SmallLedger::get().trusted;
    if trusted.check(&certified).is_ok() {
        assert_eq!(certified.header.chain_id, trusted.chain);
    }
    true
}

/// A proof that operators handed over.
pub fn epoch_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<EpochProof>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    let mut trusted = SmallLedger::get().trusted.clone();
    let before: TrustedSet = trusted.clone();
    match trusted.advance(&proof) {
        Ok(()) => assert!(trusted.height > before.height),
        Err(_) => assert_eq!(trusted, before),
    }
    true
}

/// A proof that operators signed two histories.
pub fn equivocation_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<EquivocationProof>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    if proof.verify(&SmallLedger::get().trusted).is_ok() {
        assert_ne!(proof.first.header.id(), proof.second.header.id());
    }
    true
}

/// The founding facts of a market.
pub fn genesis(bytes: &[u8]) -> bool {
    let Some(genesis) = canonical::<Genesis>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    let valid = genesis.validate();
    match State::genesis(&genesis) {
        Ok(state) => assert_eq!(state.chain(), &genesis.chain_id()),
        Err(error) => assert_eq!(valid, Err(error)),
    }
    true
}

/// A fact of the state, and putting a state together with it.
pub fn leaf(bytes: &[u8]) -> bool {
    let Some(leaf) = canonical::<Leaf>(bytes, MAX_MESSAGE_BYTES) else {
        return false;
    };
    let ledger = SmallLedger::get();
    let known = ledger.state.leaf(&leaf.key()) == Some(&leaf);
    let leaves = ledger.state.leaves().cloned().chain([leaf]);
    let restored = State::restore(&small::genesis(), ledger.state.tip().clone(), leaves);
    assert_eq!(restored.is_ok(), known, "another leaf under the same root");
    true
}

/// An amount as people write it: what is read is printed so that it is read again.
pub fn amount(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(amount) = text.parse::<Amount>() else {
        return false;
    };
    assert!(amount <= SUPPLY_CAP);
    assert_eq!(amount.to_string().parse(), Ok(amount));
    assert_eq!(amount.decimal().parse(), Ok(amount));
    true
}

/// The time of the next block on top of the small ledger.
fn next_time(state: &State) -> Timestamp {
    Timestamp::from_millis(state.tip().time.as_millis() + 1)
}

#[cfg(test)]
mod tests;
