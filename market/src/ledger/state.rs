//! Owns the state: all leaves, the tree over them, the schedule of what falls due, and the tip.
//!
//! Never changes but by committing the whole delta of an executed block.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::block::{
    BlockError, Certificate, CertifiedHeader, HEADER_VERSION, Header, validators_hash,
};
use super::channel::{ChannelRecord, ChannelState};
use super::draft::{BlockContext, Draft};
use super::leaf::{Due, Key, Leaf, Supply};
use super::proof::{StateProof, TrustedSet};
use super::rejected::Rejected;
use super::transaction::SignedTransaction;
use super::transfer::TxReceipt;
use super::tree::Tree;
use crate::amount::Amount;
use crate::genesis::{Genesis, GenesisError};
use crate::ids::{AccountId, ChainId, ChannelId, HeaderId, NodeId, Root, TxId};
use crate::time::Timestamp;

/// The ledger after some block.
#[derive(Debug, Clone)]
pub struct State {
    chain: ChainId,
    rules: Genesis,
    leaves: BTreeMap<Key, Leaf>,
    schedule: BTreeSet<(Due, Key)>,
    /// Each party of each channel that is not closed.
    live: BTreeSet<(AccountId, ChannelId)>,
    tree: Tree,
    tip: Header,
}

/// What a block changes, computed but not committed.
#[derive(Debug, Clone)]
pub struct Delta {
    pub(super) header: Header,
    pub(super) changes: BTreeMap<Key, Option<Leaf>>,
    pub(super) tree: Tree,
}

/// Why leaves do not make up the state of a header.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The genesis is not one that a market can start from.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The header is of another chain or another set of operators.
    #[error("the header at height {height} is not of this genesis; rebuild from the block log")]
    OtherChain {
        /// The header's height.
        height: u64,
    },
    /// The leaves have another root than the header.
    #[error(
        "the stored leaves have root {found}, the header at height {height} says {expected}; rebuild from the block log"
    )]
    Root {
        /// The header's height.
        height: u64,
        /// The root in the header.
        expected: Root,
        /// The root of the leaves.
        found: Root,
    },
}

impl Delta {
    /// Returns the header of the block that makes these changes.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns every leaf that changes, in order of keys, with its new content or `None` when it goes.
    pub fn changes(&self) -> impl Iterator<Item = (&Key, Option<&Leaf>)> {
        self.changes.iter().map(|(key, leaf)| (key, leaf.as_ref()))
    }
}

impl State {
    /// Makes the state of block 0, which is a function of the genesis alone and carries no certificate.
    pub fn genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        genesis.validate()?;
        let validators = validators_hash(&genesis.operators);
        let empty = Root::from_bytes(Tree::default().root());
        let chain = genesis.chain_id();
        let proposer = genesis
            .operators
            .first()
            .copied()
            .expect("a valid genesis names an operator");
        let mut state = Self {
            chain,
            rules: genesis.clone(),
            leaves: BTreeMap::new(),
            schedule: BTreeSet::new(),
            live: BTreeSet::new(),
            tree: Tree::default(),
            tip: Header {
                version: HEADER_VERSION,
                chain_id: chain,
                height: 0,
                time: genesis.time,
                uptime_ms: 0,
                prev_id: HeaderId::from_bytes([0; 32]),
                tx_root: empty,
                receipts_root: empty,
                state_root: empty,
                validators_hash: validators,
                next_validators_hash: validators,
                proposer,
            },
        };
        let supply = Leaf::Supply(Supply::default());
        state.tree.insert(supply.key().place(), supply.hash());
        state.store(supply.key(), Some(supply));
        state.tip.state_root = state.root();
        Ok(state)
    }

    /// Puts a state together from leaves that an index kept and the header that they belong to.
    pub fn restore(
        genesis: &Genesis,
        tip: Header,
        leaves: impl IntoIterator<Item = Leaf>,
    ) -> Result<Self, RestoreError> {
        let mut state = Self::genesis(genesis)?;
        let height = tip.height;
        if tip.chain_id != state.chain {
            return Err(RestoreError::OtherChain { height });
        }
        let mut changes = Vec::new();
        for leaf in leaves {
            changes.push((leaf.key().place(), Some(leaf.hash())));
            state.store(leaf.key(), Some(leaf));
        }
        state.tree.update(changes);
        let (expected, found) = (tip.state_root, state.root());
        if expected != found {
            return Err(RestoreError::Root {
                height,
                expected,
                found,
            });
        }
        if tip.next_validators_hash != validators_hash(state.operators()) {
            return Err(RestoreError::OtherChain { height });
        }
        state.tip = tip;
        Ok(state)
    }

    /// Starts the next block at `now`, which is raised to the tip's time when it is earlier, and does
    /// the work that falls due with it.
    pub fn draft(&self, now: Timestamp) -> Draft<'_> {
        Draft::new(self, now)
    }

    /// Tells what a transaction would do in the next block, without doing it.
    pub fn check(
        &self,
        transaction: &SignedTransaction,
        now: Timestamp,
    ) -> Result<TxReceipt, Rejected> {
        self.draft(now).apply(transaction)
    }

    /// Takes over the changes of a block, which must follow the tip.
    pub fn commit(&mut self, delta: Delta) -> Result<(), BlockError> {
        if delta.header.prev_id != self.tip.id() {
            return Err(BlockError::NotNext {
                height: delta.header.height,
                tip: self.tip.height,
            });
        }
        for (key, leaf) in delta.changes {
            self.store(key, leaf);
        }
        self.tree = delta.tree;
        self.tip = delta.header;
        debug_assert_eq!(
            self.root(),
            self.tip.state_root,
            "a delta carries its own tree"
        );
        Ok(())
    }

    fn store(&mut self, key: Key, leaf: Option<Leaf>) {
        if let Some(due) = leaf.as_ref().and_then(Leaf::due) {
            self.schedule.insert((due, key));
        }
        if let Some(Leaf::Channel(record)) = &leaf {
            self.note_live(record);
        }
        let due = leaf.as_ref().and_then(Leaf::due);
        let old = match leaf {
            Some(leaf) => self.leaves.insert(key, leaf),
            None => self.leaves.remove(&key),
        };
        if let Some(old) = old.as_ref().and_then(Leaf::due)
            && Some(old) != due
        {
            self.schedule.remove(&(old, key));
        }
    }

    fn note_live(&mut self, record: &ChannelRecord) {
        for party in [record.payer.account, record.payee.account] {
            if record.state == ChannelState::Closed {
                self.live.remove(&(party, record.id));
            } else {
                self.live.insert((party, record.id));
            }
        }
    }

    /// Returns the keys that are due in a block, at most `limit` of each kind of clock, so that ids to
    /// forget never keep a channel waiting.
    pub(super) fn due_keys(&self, context: &BlockContext, limit: usize) -> Vec<Key> {
        let limits = [
            (Due::Height(0), Due::Height(context.height)),
            (Due::Uptime(0), Due::Uptime(context.uptime_ms)),
            (
                Due::Time(Timestamp::from_millis(0)),
                Due::Time(context.time),
            ),
        ];
        let due = limits.iter().flat_map(|(from, to)| {
            self.schedule
                .range((*from, Key::Supply)..)
                .take_while(move |(due, _)| due <= to)
                .take(limit)
        });
        due.map(|(_, key)| *key).collect()
    }

    /// Returns the chain.
    pub fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// Returns the founding facts: fees, caps, treasury keys.
    pub fn rules(&self) -> &Genesis {
        &self.rules
    }

    /// Returns the header of the last block.
    pub fn tip(&self) -> &Header {
        &self.tip
    }

    /// Returns the operators that sign the next block.
    pub fn operators(&self) -> &[NodeId] {
        match self.leaf(&Key::Operators) {
            Some(Leaf::Operators { operators, .. }) => operators,
            _ => &self.rules.operators,
        }
    }

    /// Returns the first height that the operators of the next block sign.
    pub fn operators_since(&self) -> u64 {
        match self.leaf(&Key::Operators) {
            Some(Leaf::Operators { since, .. }) => *since,
            _ => 1,
        }
    }

    /// Returns the trusted set that the next block must be certified by.
    pub fn trusted_set(&self) -> TrustedSet {
        TrustedSet {
            chain: self.chain,
            height: self.tip.height.saturating_add(1),
            operators: self.operators().to_vec(),
        }
    }

    /// Returns the root of the state tree.
    pub fn root(&self) -> Root {
        Root::from_bytes(self.tree.root())
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the leaf at `key`.
    pub fn leaf(&self, key: &Key) -> Option<&Leaf> {
        self.leaves.get(key)
    }

    /// Returns every leaf in order of keys.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.values()
    }

    /// Returns every leaf whose key comes after `key`, or every one, in order of keys.
    pub fn leaves_after(&self, key: Option<Key>) -> impl Iterator<Item = &Leaf> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.leaves.range((from, Bound::Unbounded));
        later.map(|(_, leaf)| leaf)
    }

    /// Returns how many leaves there are.
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// Returns what an account can spend; zero for an account that does not exist.
    pub fn available(&self, account: &AccountId) -> Amount {
        match self.leaf(&Key::Account(*account)) {
            Some(Leaf::Account(record)) => record.available,
            _ => Amount::ZERO,
        }
    }

    /// Returns a channel's record.
    pub fn channel(&self, id: &ChannelId) -> Option<&ChannelRecord> {
        match self.leaf(&Key::Channel(*id)) {
            Some(Leaf::Channel(record)) => Some(record),
            _ => None,
        }
    }

    /// Returns every channel in order of ids, closed ones included. Walks all channels.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelRecord> {
        let from = Key::Channel(ChannelId::from_bytes([0; 32]));
        self.leaves.range(from..).map_while(|(_, leaf)| match leaf {
            Leaf::Channel(record) => Some(&**record),
            _ => None,
        })
    }

    /// Returns the channels of an account, as payer or payee, that are not closed, in order of ids.
    pub fn live_channels(&self, account: &AccountId) -> impl Iterator<Item = &ChannelRecord> {
        let account = *account;
        let first = (account, ChannelId::from_bytes([0; 32]));
        let live = self.live.range(first..);
        let live = live.take_while(move |(party, _)| *party == account);
        live.filter_map(|(_, id)| self.channel(id))
    }

    /// Returns what an account has locked in channels as payer.
    pub fn locked(&self, account: &AccountId) -> Amount {
        self.live_channels(account)
            .filter(|channel| channel.payer.account == *account)
            .fold(Amount::ZERO, |sum, channel| {
                sum.checked_add(channel.balance)
                    .expect("money in existence is below the supply cap")
            })
    }

    /// Returns the supply and the fee pool.
    pub fn supply(&self) -> Supply {
        match self.leaf(&Key::Supply) {
            Some(Leaf::Supply(supply)) => *supply,
            _ => Supply::default(),
        }
    }

    /// Tells whether a transaction is in the ledger; forgotten once it can no longer be submitted.
    pub fn has_applied(&self, id: &TxId) -> bool {
        self.leaves.contains_key(&Key::Applied(*id))
    }

    /// Proves the leaf at `key` as of the tip, which `certificate` must be about; `None` without such
    /// a leaf. At most 2 kB with any number of leaves that a market can have.
    pub fn prove(&self, key: &Key, certificate: &Certificate) -> Option<StateProof> {
        Some(StateProof {
            leaf: self.leaf(key)?.clone(),
            path: self.tree.path(&key.place())?,
            certified: CertifiedHeader {
                header: self.tip.clone(),
                certificate: certificate.clone(),
            },
        })
    }
}
