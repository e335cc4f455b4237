//! The kept state: whatever happens while it is written, it is the state of one block; whatever is wrong with it, it is
//! not used.

use std::fs;
use std::path::PathBuf;

use market::Timestamp;
use market::keys::SecretKey;
use market::ledger::{Block, Memo, Operation, SignedTransaction, Transaction, execute};
use proptest::prelude::*;
use tempfile::TempDir;

use super::writing::Writing;
use super::*;
use crate::ledger::testing::{TRANSFER_FEE, genesis, hand_over, issue, key, nano};

/// A ledger whose blocks are made by hand.
struct Chain {
    state: State,
    operator: SecretKey,
    epochs: Vec<EpochProof>,
    nonce: u64,
}

impl Chain {
    fn new() -> Self {
        Self {
            state: State::genesis(&genesis()).unwrap(),
            operator: key(200),
            epochs: Vec::new(),
            nonce: 0,
        }
    }

    /// Makes a block of what is allowed of `batch`; what is written of the state goes on after it. Tells whether that
    /// came to its end.
    fn block(
        &mut self,
        batch: &[SignedTransaction],
        (writing, limit): (&mut Writing, usize),
    ) -> (Block, bool) {
        let now = Timestamp::from_millis(self.state.tip().time.as_millis() + 1_000);
        let executed = execute(&self.state, batch, now, &self.operator).unwrap();
        writing.note(&executed.delta).unwrap();
        self.state.commit(executed.delta).unwrap();
        let block = executed.block;
        self.epochs
            .extend(EpochProof::of(&self.state, &block.certified()));
        (block, writing.go_on(&self.state, limit).unwrap())
    }

    /// All that `from` has but the fee, to `to`, so that `from` is no account any more; its id is soon forgotten.
    fn empty_into(&mut self, from: u8, to: u8) -> Option<SignedTransaction> {
        let available = self.state.available(&key(from).account());
        let amount = available.checked_sub(nano(TRANSFER_FEE))?;
        self.nonce += 1;
        let transaction = Transaction {
            nonce: self.nonce,
            valid_until_height: self.state.tip().height + 3,
            operation: Operation::Transfer {
                from: key(from).account(),
                to: key(to).account(),
                amount,
                memo: Memo::default(),
            },
        };
        Some(SignedTransaction::sign(
            &transaction,
            &key(from),
            self.state.chain(),
        ))
    }
}

/// A chain of some accounts and one change of the operators, with its state as written after its last block.
fn kept() -> (TempDir, Chain, CertifiedHeader) {
    let folder = TempDir::new().unwrap();
    let mut chain = Chain::new();
    let mut writing = Writing::begin(folder.path()).unwrap();
    let batch: Vec<_> = (1..6)
        .map(|seed| issue(u64::from(seed), &key(seed), 9_000))
        .collect();
    chain.block(&batch, (&mut writing, 2));
    chain.block(
        &[hand_over(9, &key(210), &[&key(200), &key(210)])],
        (&mut writing, 2),
    );
    chain.operator = key(210);
    let (block, ended) = chain.block(&[], (&mut writing, 100));
    assert!(ended);
    let height = chain.state.tip().height;
    writing
        .end(&chain.epochs, height)
        .unwrap()
        .publish()
        .unwrap();
    (folder, chain, block.certified())
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join(FILE)
}

fn restored(
    bytes: &[u8],
    head: &CertifiedHeader,
) -> Result<(State, Vec<EpochProof>), SnapshotError> {
    Snapshot::decode(bytes)?.restore(&genesis(), head)
}

fn is_same(a: &State, b: &State) -> bool {
    a.root() == b.root() && a.tip() == b.tip() && a.leaves().eq(b.leaves())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_between_blocks_is_the_state_of_the_last_of_them(
        limits in prop::collection::vec(0usize..4, 40),
        moves in prop::collection::vec(prop::collection::vec((1u8..9, 1u8..9), 0..4), 40),
    ) {
        let folder = TempDir::new().unwrap();
        let mut chain = Chain::new();
        let funding: Vec<_> = (1..6).map(|seed| issue(u64::from(seed), &key(seed), 90_000)).collect();
        let mut writing = Writing::begin(folder.path()).unwrap();
        chain.block(&funding, (&mut writing, 1));
        for (limit, moves) in limits.into_iter().zip(moves).chain([(1_000, Vec::new())]) {
            let batch: Vec<_> = moves.into_iter().filter_map(|(from, to)| chain.empty_into(from, to)).collect();
            let (block, ended) = chain.block(&batch, (&mut writing, limit));
            if ended {
                writing.end(&chain.epochs, block.header.height).unwrap().publish().unwrap();
                let snapshot = Snapshot::read(folder.path()).unwrap().unwrap();
                prop_assert_eq!(snapshot.height(), block.header.height);
                let (state, _) = snapshot.restore(&genesis(), &block.certified()).unwrap();
                prop_assert!(is_same(&state, &chain.state));
                writing = Writing::begin(folder.path()).unwrap();
            }
        }
    }
}

#[test]
fn a_kept_state_goes_on_as_the_chain_does() {
    let (folder, chain, head) = kept();
    let snapshot = Snapshot::read(folder.path()).unwrap().unwrap();
    let (state, epochs) = snapshot.restore(&genesis(), &head).unwrap();
    assert!(is_same(&state, &chain.state));
    assert_eq!(epochs, chain.epochs);
    assert_eq!(state.operators(), [key(210).node()]);
    let now = Timestamp::from_millis(state.tip().time.as_millis() + 50_000);
    let batch = [issue(70, &key(7), 5)];
    let ours = execute(&state, &batch, now, &key(210)).unwrap();
    let theirs = execute(&chain.state, &batch, now, &key(210)).unwrap();
    assert_eq!(ours.block, theirs.block);
}

#[test]
fn nothing_kept_is_no_error_and_an_unfinished_file_is_nothing() {
    let folder = TempDir::new().unwrap();
    assert!(Snapshot::read(folder.path()).unwrap().is_none());
    let mut writing = Writing::begin(folder.path()).unwrap();
    Chain::new().block(&[], (&mut writing, 100));
    drop(writing);
    assert!(folder.path().join(UNFINISHED).exists());
    assert!(Snapshot::read(folder.path()).unwrap().is_none());
}

#[test]
fn a_file_cut_anywhere_or_with_more_behind_it_is_not_used() {
    let (folder, _, head) = kept();
    let mut bytes = fs::read(file(&folder)).unwrap();
    for length in 0..bytes.len() {
        let error = restored(&bytes[..length], &head).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Length),
            "cut at {length}: {error}"
        );
    }
    bytes.push(0);
    assert!(matches!(
        restored(&bytes, &head).unwrap_err(),
        SnapshotError::Length
    ));
}

#[test]
fn a_file_with_any_byte_changed_is_not_used_or_is_the_same_state() {
    let (folder, chain, head) = kept();
    let whole = fs::read(file(&folder)).unwrap();
    let mut refused = 0;
    for index in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[index] ^= bit;
            match restored(&bytes, &head) {
                Err(_) => refused += 1,
                Ok((state, epochs)) => {
                    assert!(is_same(&state, &chain.state), "byte {index}");
                    assert_eq!(epochs, chain.epochs, "byte {index}");
                }
            }
        }
    }
    // All of it counts, but for leaves that were written again and their lengths.
    assert!(refused > whole.len(), "{refused} of {}", 2 * whole.len());
}

#[test]
fn a_file_of_another_form_says_so() {
    let (folder, _, head) = kept();
    let mut bytes = fs::read(file(&folder)).unwrap();
    bytes[MAGIC.len() - 1] += 1;
    assert!(matches!(
        restored(&bytes, &head).unwrap_err(),
        SnapshotError::OtherForm
    ));
}

#[test]
fn a_state_of_another_block_or_another_market_is_not_used() {
    let (folder, mut chain, _) = kept();
    let bytes = fs::read(file(&folder)).unwrap();
    let mut writing = Writing::begin(folder.path()).unwrap();
    let (later, _) = chain.block(&[issue(80, &key(8), 5)], (&mut writing, 0));
    let error = restored(&bytes, &later.certified()).unwrap_err();
    assert!(
        matches!(error, SnapshotError::Leaves(RestoreError::Root { .. })),
        "{error}"
    );
    let other = Genesis {
        name: "another".to_owned(),
        ..genesis()
    };
    let error = Snapshot::decode(&bytes[..])
        .unwrap()
        .restore(&other, &later.certified())
        .unwrap_err();
    assert!(
        matches!(
            error,
            SnapshotError::Leaves(RestoreError::OtherChain { .. })
        ),
        "{error}"
    );
}

#[test]
fn a_block_that_the_operators_did_not_sign_is_no_ground_to_go_on_from() {
    let (folder, _, head) = kept();
    let bytes = fs::read(file(&folder)).unwrap();
    // The operator before the change signs the same header.
    let forged = CertifiedHeader::sign(head.header, &key(200));
    let error = restored(&bytes, &forged).unwrap_err();
    assert!(
        matches!(
            error,
            SnapshotError::Operators(ProofError::BadPrecommit { .. })
        ),
        "{error}"
    );
}

#[test]
fn changes_of_the_operators_must_be_all_there_and_no_more() {
    let (folder, mut chain, head) = kept();
    let mut writing = Writing::begin(folder.path()).unwrap();
    let (later, _) = chain.block(
        &[hand_over(99, &key(220), &[&key(210), &key(220)])],
        (&mut writing, 100),
    );
    let other = TempDir::new().unwrap();
    let with = |epochs: &[EpochProof], head: &CertifiedHeader| {
        let (leaves, height) = (
            Snapshot::read(folder.path()).unwrap().unwrap().leaves,
            head.header.height,
        );
        Snapshot {
            height,
            leaves,
            epochs: epochs.to_vec(),
        }
        .restore(&genesis(), head)
    };
    with(&chain.epochs[..1], &head).unwrap();
    for epochs in [&[][..], &chain.epochs, &chain.epochs[1..]] {
        assert!(matches!(
            with(epochs, &head).unwrap_err(),
            SnapshotError::Operators(_)
        ));
    }
    let again = [chain.epochs[0].clone(), chain.epochs[0].clone()];
    assert!(matches!(
        with(&again, &head).unwrap_err(),
        SnapshotError::Operators(_)
    ));
    // Later changes tell nothing of this state, even when they lead back to its operators.
    let change = [hand_over(100, &key(210), &[&key(220), &key(210)])];
    chain.operator = key(220);
    let mut aside = Writing::begin(other.path()).unwrap();
    chain.block(&change, (&mut aside, 0));
    let all = std::mem::take(&mut chain.epochs);
    assert!(matches!(
        with(&all, &head).unwrap_err(),
        SnapshotError::Operators(_)
    ));
    chain.epochs = all[..2].to_vec();
    // A block that itself hands over is signed by those before it.
    let height = later.header.height;
    writing
        .end(&chain.epochs, height)
        .unwrap()
        .publish()
        .unwrap();
    with(&chain.epochs, &later.certified()).unwrap();
    assert!(matches!(
        with(&chain.epochs[..1], &later.certified()).unwrap_err(),
        SnapshotError::Operators(_)
    ));
}

#[test]
fn the_file_has_this_form() {
    let account = Leaf::Account(market::ledger::AccountRecord {
        id: key(1).account(),
        available: nano(7),
    });
    let snapshot = Snapshot {
        height: 258,
        leaves: BTreeMap::from([(account.key(), account)]),
        epochs: Vec::new(),
    };
    let bytes = fuzz::write(&snapshot);
    let form = [
        hex::encode(b"NSSTATE"),
        "01".to_owned(),
        "30000000".to_owned(),
        "00000000".to_owned(),
        "01000000".to_owned(),
        hex::encode(key(1).account().as_bytes()),
        "0700000000000000".to_owned(),
        "0c000000".to_owned(),
        "03000000".to_owned(),
        "0201000000000000".to_owned(),
    ];
    assert_eq!(hex::encode(&bytes), form.concat());
    assert_eq!(fuzz::write(&Snapshot::decode(&bytes[..]).unwrap()), bytes);
}
