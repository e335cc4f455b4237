//! Owns the block in the making: changes laid over a state, the primitive that posts a transfer,
//! and the work that a block does by itself when something falls due.
//!
//! Never touches the state below: a draft that is dropped leaves no trace.

use std::collections::BTreeMap;

use super::block::{HEADER_VERSION, Header, validators_hash};
use super::channel::{ChannelRecord, ChannelState};
use super::leaf::{AccountRecord, Key, Leaf, Supply};
use super::rejected::Rejected;
use super::state::{Delta, State};
use super::transaction::SignedTransaction;
use super::transfer::{Bucket, Cause, Code, Transfer, TxReceipt};
use super::tree::{self, Tree};
use crate::amount::Amount;
use crate::genesis::Genesis;
use crate::ids::{AccountId, ChainId, ChannelId, NodeId, Root};
use crate::time::Timestamp;
use crate::wire;

/// The most that one block adds to the uptime clock, in milliseconds.
pub const UPTIME_STEP_MS: u64 = 10_000;

/// The most transactions in a block; with the next limit it keeps a block within one message.
pub const MAX_TRANSACTIONS_PER_BLOCK: usize = 2_000;

/// The most leaves that one block handles because they fell due by height, and again by the uptime
/// clock and by time; the rest waits for the next.
pub const MAX_DUE_PER_BLOCK: usize = 2_000;

/// Where in the life of the chain a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// The block's height.
    pub height: u64,
    /// The block's time.
    pub time: Timestamp,
    /// The uptime clock, in milliseconds.
    pub uptime_ms: u64,
}

/// A block in the making.
#[derive(Debug)]
pub struct Draft<'a> {
    state: &'a State,
    context: BlockContext,
    block: BTreeMap<Key, Option<Leaf>>,
    /// Changes of the operation at hand, each key once: too few for a map to be faster.
    pending: Vec<(Key, Option<Leaf>)>,
    posted: Vec<Transfer>,
    transactions: Vec<SignedTransaction>,
    receipts: Vec<TxReceipt>,
}

/// A finished draft: a block that nobody has signed yet.
pub(super) struct Finished {
    pub(super) transactions: Vec<SignedTransaction>,
    pub(super) receipts: Vec<TxReceipt>,
    pub(super) delta: Delta,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State, now: Timestamp) -> Self {
        let tip = state.tip();
        let time = now.max(tip.time);
        let elapsed_ms = time.as_millis().saturating_sub(tip.time.as_millis());
        let mut draft = Self {
            state,
            context: BlockContext {
                height: tip.height.saturating_add(1),
                time,
                uptime_ms: tip.uptime_ms.saturating_add(elapsed_ms.min(UPTIME_STEP_MS)),
            },
            block: BTreeMap::new(),
            pending: Vec::new(),
            posted: Vec::new(),
            transactions: Vec::new(),
            receipts: Vec::new(),
        };
        draft.run_due();
        draft
    }

    /// Returns where in the life of the chain this block stands.
    pub fn context(&self) -> &BlockContext {
        &self.context
    }

    pub(super) fn chain(&self) -> &'a ChainId {
        self.state.chain()
    }

    pub(super) fn rules(&self) -> &'a Genesis {
        self.state.rules()
    }

    /// Returns the operators that sign this block.
    pub(super) fn operators(&self) -> &'a [NodeId] {
        self.state.operators()
    }

    /// Tells whether a transaction of this block has changed the operators of the next.
    pub(super) fn changes_operators(&self) -> bool {
        self.block.contains_key(&Key::Operators)
    }

    pub(super) fn is_full(&self) -> bool {
        self.transactions.len() >= MAX_TRANSACTIONS_PER_BLOCK
    }

    /// Returns the leaf at `key` before the operation at hand.
    fn kept(&self, key: &Key) -> Option<&Leaf> {
        match self.block.get(key) {
            Some(change) => change.as_ref(),
            None => self.state.leaf(key),
        }
    }

    pub(super) fn leaf(&self, key: &Key) -> Option<&Leaf> {
        match self.pending.iter().find(|(pending, _)| pending == key) {
            Some((_, change)) => change.as_ref(),
            None => self.kept(key),
        }
    }

    pub(super) fn put(&mut self, leaf: Leaf) {
        self.change(leaf.key(), Some(leaf));
    }

    fn change(&mut self, key: Key, leaf: Option<Leaf>) {
        match self.pending.iter_mut().find(|(pending, _)| *pending == key) {
            Some((_, change)) => *change = leaf,
            None => self.pending.push((key, leaf)),
        }
    }

    pub(super) fn available(&self, account: AccountId) -> Amount {
        match self.leaf(&Key::Account(account)) {
            Some(Leaf::Account(record)) => record.available,
            _ => Amount::ZERO,
        }
    }

    fn set_available(&mut self, id: AccountId, available: Amount) {
        let record = Leaf::Account(AccountRecord { id, available });
        let change = (available > Amount::ZERO).then_some(record);
        self.change(Key::Account(id), change);
    }

    pub(super) fn supply(&self) -> Supply {
        match self.leaf(&Key::Supply) {
            Some(Leaf::Supply(supply)) => *supply,
            _ => Supply::default(),
        }
    }

    pub(super) fn channel(&self, id: ChannelId) -> Result<ChannelRecord, Rejected> {
        match self.leaf(&Key::Channel(id)) {
            Some(Leaf::Channel(record)) => Ok(ChannelRecord::clone(record)),
            _ => Err(Rejected::NoChannel { channel: id }),
        }
    }

    pub(super) fn update_channel(
        &mut self,
        id: ChannelId,
        change: impl FnOnce(&mut ChannelRecord),
    ) -> Result<(), Rejected> {
        let mut record = self.channel(id)?;
        change(&mut record);
        self.put(Leaf::Channel(Box::new(record)));
        Ok(())
    }

    /// Moves money: the only way that any balance changes. An amount of zero moves nothing.
    pub(super) fn post(&mut self, transfer: Transfer) -> Result<(), Rejected> {
        if transfer.amount == Amount::ZERO {
            return Ok(());
        }
        self.take(transfer.debit, transfer.amount)?;
        self.give(transfer.credit, transfer.amount)?;
        self.posted.push(transfer);
        Ok(())
    }

    fn take(&mut self, bucket: Bucket, amount: Amount) -> Result<(), Rejected> {
        let less = |balance: Amount| balance.checked_sub(amount).ok_or(Rejected::Arithmetic);
        match bucket {
            Bucket::Available(account) => {
                let available = self.available(account);
                let rest = available
                    .checked_sub(amount)
                    .ok_or(Rejected::Insufficient {
                        account,
                        available,
                        needed: amount,
                    })?;
                self.set_available(account, rest);
            }
            Bucket::Channel(id) => {
                let balance = less(self.channel(id)?.balance)?;
                self.update_channel(id, |record| record.balance = balance)?;
            }
            Bucket::FeePool | Bucket::Treasury | Bucket::Issued => {
                let mut supply = self.supply();
                match bucket {
                    Bucket::FeePool => supply.fee_pool = less(supply.fee_pool)?,
                    Bucket::Treasury => supply.treasury = less(supply.treasury)?,
                    _ => supply.issued = more(supply.issued, amount)?,
                }
                self.put(Leaf::Supply(supply));
            }
            Bucket::Redeemed | Bucket::Burned => return Err(Rejected::Arithmetic),
        }
        Ok(())
    }

    fn give(&mut self, bucket: Bucket, amount: Amount) -> Result<(), Rejected> {
        match bucket {
            Bucket::Available(account) => {
                let available = more(self.available(account), amount)?;
                self.set_available(account, available);
            }
            Bucket::Channel(id) => {
                let balance = more(self.channel(id)?.balance, amount)?;
                self.update_channel(id, |record| record.balance = balance)?;
            }
            Bucket::FeePool | Bucket::Treasury | Bucket::Redeemed | Bucket::Burned => {
                let mut supply = self.supply();
                let counter = match bucket {
                    Bucket::FeePool => &mut supply.fee_pool,
                    Bucket::Treasury => &mut supply.treasury,
                    Bucket::Redeemed => &mut supply.redeemed,
                    _ => &mut supply.burned,
                };
                *counter = more(*counter, amount)?;
                self.put(Leaf::Supply(supply));
            }
            Bucket::Issued => return Err(Rejected::Arithmetic),
        }
        Ok(())
    }

    /// Gives what a channel still holds back to its payer and ends it.
    pub(super) fn close(&mut self, id: ChannelId) -> Result<(), Rejected> {
        let record = self.channel(id)?;
        self.post(Transfer {
            debit: Bucket::Channel(id),
            credit: Bucket::Available(record.payer.account),
            amount: record.balance,
            code: Code::Refund,
        })?;
        self.update_channel(id, |record| record.state = ChannelState::Closed)
    }

    /// Returns the receipt of the operation at hand, whose changes are not kept yet.
    pub(super) fn receipt(&mut self, cause: Cause, channel: Option<ChannelId>) -> TxReceipt {
        let transfers = std::mem::take(&mut self.posted);
        let fee = transfers
            .iter()
            .filter(|transfer| transfer.credit == Bucket::FeePool)
            .try_fold(Amount::ZERO, |sum, transfer| {
                sum.checked_add(transfer.amount)
            })
            .expect("money in existence is below the supply cap");
        TxReceipt {
            cause,
            transfers,
            fee,
            channel: channel.and_then(|id| self.channel(id).ok()),
        }
    }

    /// Makes the changes of the operation at hand part of the block.
    pub(super) fn keep(&mut self, receipt: Option<TxReceipt>, signed: Option<&SignedTransaction>) {
        debug_assert!(
            self.is_sound(),
            "an operation broke the conservation of money"
        );
        self.block.extend(self.pending.drain(..));
        self.receipts.extend(receipt);
        self.transactions.extend(signed.cloned());
    }

    /// Forgets the changes of the operation at hand.
    pub(super) fn discard(&mut self) {
        self.pending.clear();
        self.posted.clear();
    }

    /// Tells whether the operation at hand conserves money and leaves every channel sound.
    fn is_sound(&self) -> bool {
        let weight = |leaf: Option<&Leaf>| leaf.map_or(0, Leaf::weight);
        let drift: i128 = self
            .pending
            .iter()
            .map(|(key, leaf)| weight(leaf.as_ref()).saturating_sub(weight(self.kept(key))))
            .sum();
        let channels_sound = self.pending.iter().all(|(_, leaf)| match leaf {
            Some(Leaf::Channel(record)) => record.is_sound(),
            _ => true,
        });
        drift == 0 && channels_sound && self.supply().treasury == Amount::ZERO
    }

    fn run_due(&mut self) {
        for key in self.state.due_keys(&self.context, MAX_DUE_PER_BLOCK) {
            let receipt = match self.leaf(&key) {
                Some(Leaf::Channel(record)) => {
                    let (id, state) = (record.id, record.state);
                    let receipt = self.run_due_channel(id, state);
                    Some(receipt.expect("a channel holds its balance, and sums are below the cap"))
                }
                _ => {
                    self.change(key, None);
                    None
                }
            };
            self.keep(receipt, None);
        }
    }

    fn run_due_channel(
        &mut self,
        id: ChannelId,
        state: ChannelState,
    ) -> Result<TxReceipt, Rejected> {
        let cause = match state {
            ChannelState::Open => {
                let state = self.closing();
                self.update_channel(id, |record| record.state = state)?;
                Cause::Expiry(id)
            }
            ChannelState::Closing { .. } | ChannelState::Closed => {
                self.close(id)?;
                Cause::Deadline(id)
            }
        };
        Ok(self.receipt(cause, Some(id)))
    }

    /// Returns the state of a channel whose challenge window opens now.
    pub(super) fn closing(&self) -> ChannelState {
        ChannelState::Closing {
            deadline_ms: self
                .context
                .uptime_ms
                .saturating_add(self.rules().challenge_ms),
        }
    }

    /// Ends the draft: computes the roots and the header that `proposer` would sign.
    pub(super) fn finish(self, proposer: NodeId) -> Finished {
        let mut tree = self.state.tree().clone();
        let changes = self.block.iter();
        tree.update(
            changes
                .map(|(key, leaf)| (key.place(), leaf.as_ref().map(Leaf::hash)))
                .collect(),
        );
        let hashes: Vec<tree::Hash> = self.transactions.iter().map(tx_hash).collect();
        let next_operators = match self.block.get(&Key::Operators) {
            Some(Some(Leaf::Operators { operators, .. })) => operators,
            _ => self.state.operators(),
        };
        let header = Header {
            version: HEADER_VERSION,
            chain_id: *self.chain(),
            height: self.context.height,
            time: self.context.time,
            uptime_ms: self.context.uptime_ms,
            prev_id: self.state.tip().id(),
            receipts_root: Root::from_bytes(receipts_tree(&hashes, &self.receipts).root()),
            tx_root: Root::from_bytes(Tree::of_list(hashes).root()),
            state_root: Root::from_bytes(tree.root()),
            validators_hash: validators_hash(self.state.operators()),
            next_validators_hash: validators_hash(next_operators),
            proposer,
        };
        Finished {
            transactions: self.transactions,
            receipts: self.receipts,
            delta: Delta {
                header,
                changes: self.block,
                tree,
            },
        }
    }
}

fn more(balance: Amount, amount: Amount) -> Result<Amount, Rejected> {
    balance.checked_add(amount).ok_or(Rejected::Arithmetic)
}

/// Returns the hash of a whole signed transaction, seals included.
pub(super) fn tx_hash(transaction: &SignedTransaction) -> tree::Hash {
    tree::hash("nightshift/tx-leaf/1", &wire::encode(transaction))
}

/// Returns the hash of a receipt together with the hash of the transaction that it is for, if any.
pub(super) fn receipt_hash(transaction: Option<tree::Hash>, receipt: &TxReceipt) -> tree::Hash {
    let bytes = wire::encode(&(transaction, receipt));
    tree::hash("nightshift/receipt-leaf/1", &bytes)
}

/// Returns the tree over a block's receipts: first what fell due, then one a transaction, in order.
pub(super) fn receipts_tree(transactions: &[tree::Hash], receipts: &[TxReceipt]) -> Tree {
    let due = receipts.len().saturating_sub(transactions.len());
    let causes = std::iter::repeat_n(None, due).chain(transactions.iter().copied().map(Some));
    Tree::of_list(
        causes
            .zip(receipts)
            .map(|(transaction, receipt)| receipt_hash(transaction, receipt)),
    )
}
