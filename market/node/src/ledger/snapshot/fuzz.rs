//! Owns what the bytes of a kept state must hold to, whatever they are.
//!
//! Never touches a file and never makes bytes up.

use super::{Entry, MAGIC, Snapshot, writing};

/// A kept state: what is read of it can be written and is read again as the same.
pub fn kept_state(bytes: &[u8]) -> bool {
    let Ok(snapshot) = Snapshot::decode(bytes) else {
        return false;
    };
    let written = write(&snapshot);
    assert!(written.len() <= bytes.len(), "an entry says one thing");
    let again = Snapshot::decode(&written[..]).expect("what was written is read");
    assert_eq!(written, write(&again));
    true
}

/// Writes what a file says in the end: each leaf once.
pub(super) fn write(snapshot: &Snapshot) -> Vec<u8> {
    let leaves = snapshot.leaves.values().cloned().map(Entry::Leaf);
    let epochs = snapshot.epochs.iter().cloned().map(Box::new);
    let end = Entry::End {
        height: snapshot.height,
    };
    let mut bytes = MAGIC.to_vec();
    for entry in leaves.chain(epochs.map(Entry::Epoch)).chain([end]) {
        writing::put(&mut bytes, &entry).expect("memory takes what fits");
    }
    bytes
}

/// The bytes of a small kept state: two leaves of which one changed and one went, and a change of the operators.
#[cfg(test)]
pub(crate) fn sample(
    leaves: Vec<market::ledger::Leaf>,
    epoch: market::ledger::EpochProof,
) -> Vec<u8> {
    let gone = leaves.first().map(|leaf| Entry::Gone(leaf.key()));
    let all = leaves.iter().chain(leaves.last()).cloned().map(Entry::Leaf);
    let end = [Entry::Epoch(Box::new(epoch)), Entry::End { height: 3 }];
    let mut bytes = MAGIC.to_vec();
    for entry in all.chain(gone).chain(end) {
        writing::put(&mut bytes, &entry).expect("memory takes what fits");
    }
    bytes
}
