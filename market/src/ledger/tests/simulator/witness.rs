//! The witness of a simulation: it sees every durable block, and knows more than any party.
//!
//! Never takes part. It follows the chain with a state of its own, and fails at the first block that breaks a rule.

use super::client::Client;
use super::*;

/// How long a payee has to be there while a window is open, so that it must have claimed: long enough to ask and file
/// several times through the storm.
const ENOUGH_TO_CLAIM_MS: u64 = 45_000;

pub(super) struct Witness {
    /// A node that follows: it verifies each block and commits it.
    pub(super) follower: State,
    journal: Journal,
    /// Everything that ever applied.
    applied: BTreeSet<TxId>,
    /// What clients were told to be final.
    pub(super) acknowledged: BTreeSet<TxId>,
    /// How often each order to pay was carried out, by its note.
    paid: BTreeMap<String, u32>,
    /// Which channel each search has opened.
    searches: BTreeMap<(AccountId, u64), ChannelId>,
    /// Channels that a deadline closed, and for how long payees could have claimed before.
    ended_alone: BTreeSet<ChannelId>,
    could_claim_ms: BTreeMap<ChannelId, u64>,
    /// What has happened so far.
    pub(super) tally: Tally,
}

impl Witness {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self {
            follower: State::genesis(genesis).unwrap(),
            journal: Journal::default(),
            applied: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            paid: BTreeMap::new(),
            searches: BTreeMap::new(),
            ended_alone: BTreeSet::new(),
            could_claim_ms: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Checks a block that has become durable.
    pub(super) fn see(&mut self, block: &Block, clients: &[Client]) {
        let before: Vec<ChannelRecord> = self.follower.channels().cloned().collect();
        let delta = verify_block(&self.follower, block).unwrap();
        self.follower.commit(delta).unwrap();
        self.tally.blocks += 1;
        self.count_causes(block);
        for movement in block.movements() {
            let memo = movement.memo.clone();
            self.journal.enter(movement).unwrap();
            if let Some(memo) = memo {
                let count = self.paid.entry(memo.to_string()).or_default();
                *count += 1;
                assert_eq!(*count, 1, "{memo} was paid twice");
            }
        }
        assert!(self.journal.agrees_with(&self.follower));
        let audit = self.follower.audit();
        assert!(
            audit.supply_conserved && audit.treasury == Amount::ZERO,
            "{audit:?}"
        );
        self.check_transactions(block);
        self.check_channels(&before, clients);
    }

    fn count_causes(&mut self, block: &Block) {
        for receipt in &block.receipts {
            match receipt.cause {
                Cause::Expiry(_) => self.tally.expiries += 1,
                Cause::Deadline(id) => {
                    self.tally.deadlines += 1;
                    self.ended_alone.insert(id);
                }
                Cause::Transaction(_) => {}
            }
        }
    }

    /// Counts time in which a payee could have claimed from a channel whose window is open.
    pub(super) fn pass(&mut self, clients: &[Client], slice_ms: u64) {
        for record in self.follower.channels() {
            let payee = clients
                .iter()
                .find(|client| client.owns(&record.payee))
                .unwrap();
            let is_closing = matches!(record.state, ChannelState::Closing { .. });
            if is_closing && payee.down_until_ms.is_none() {
                *self.could_claim_ms.entry(record.id).or_default() += slice_ms;
            }
        }
    }

    /// Tells whether a channel's window passed while its payee was away for nearly all of it.
    fn slept(&self, id: &ChannelId) -> bool {
        let could_ms = self.could_claim_ms.get(id).copied().unwrap_or(0);
        self.ended_alone.contains(id) && could_ms < ENOUGH_TO_CLAIM_MS
    }

    fn check_transactions(&mut self, block: &Block) {
        let chain = *self.follower.chain();
        for signed in &block.transactions {
            let verified = signed.verify(&chain).unwrap();
            assert!(
                self.applied.insert(verified.id),
                "{} applied twice",
                verified.id
            );
            match verified.transaction.operation {
                Operation::Open { terms } => {
                    let search = (terms.payer.account, terms.payer_nonce);
                    let other = self.searches.insert(search, terms.channel_id(&chain));
                    assert_eq!(other, None, "one nonce has opened two channels");
                }
                Operation::PayerClose { .. } => self.tally.payer_closes += 1,
                _ => {}
            }
        }
    }

    fn check_channels(&self, before: &[ChannelRecord], clients: &[Client]) {
        for old in before {
            let new = self.follower.channel(&old.id).unwrap();
            assert!(
                new.claimed >= old.claimed
                    && new.sequence >= old.sequence
                    && new.deposit == old.deposit
            );
            if old.state == ChannelState::Closed {
                assert_eq!(old, new, "a closed channel moved");
            }
        }
        for record in self.follower.channels() {
            assert!(record.is_sound());
            let signed = promised_by_payer(record, clients);
            assert!(
                record.claimed <= signed,
                "{} was paid where {signed} was signed",
                record.claimed
            );
        }
    }

    /// Checks an operator that has started again: nothing durable is lost, and nothing that anybody was told.
    pub(super) fn check_restart(&self, operator: &Operator) {
        let state = operator.state().unwrap();
        assert_eq!(
            state.tip(),
            self.follower.tip(),
            "the log replays to another tip"
        );
        assert_eq!(state.root(), self.follower.root());
        let lost = self.acknowledged.iter().find(|id| !operator.has(id));
        assert_eq!(lost, None, "a transaction was acknowledged and is lost");
    }

    /// Checks how everything has ended.
    pub(super) fn check_end(&self, clients: &[Client]) -> Tally {
        let mut tally = Tally {
            payments: self.paid.len(),
            ..self.tally
        };
        for record in self.follower.channels() {
            assert_eq!(record.state, ChannelState::Closed);
            let payee = clients
                .iter()
                .find(|client| client.owns(&record.payee))
                .unwrap();
            let contract = &payee.disk.contracts[&record.id];
            let first = contract.terms.rates.first_tick().unwrap();
            let kept = payee.promised(&record.id).unwrap_or(first);
            let stated = promised_by_payer(record, clients);
            if self.slept(&record.id) {
                assert!(record.claimed <= kept.max(stated));
                tally.lost += usize::from(record.claimed < kept);
            } else {
                // What came after the close was filed was not worked for.
                let filed = contract.filed.unwrap_or(kept);
                let exact = [kept, filed, stated];
                let paid = record.claimed;
                assert!(paid >= filed.min(kept), "{paid} of {kept} was paid");
                assert!(exact.contains(&paid), "{paid} is none of {exact:?}");
            }
            tally.channels += 1;
            tally.vouchers += usize::from(kept > first);
        }
        tally
    }
}

/// What simulations came to, so that no check holds for want of a case.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) blocks: usize,
    pub(super) payments: usize,
    pub(super) channels: usize,
    /// Channels with a voucher beyond the first tick.
    pub(super) vouchers: usize,
    /// Windows that opened because a payer closed alone, because a channel expired, and that ended by themselves.
    pub(super) payer_closes: usize,
    pub(super) expiries: usize,
    pub(super) deadlines: usize,
    /// Channels whose payee was away through the window, and lost what it had not claimed.
    pub(super) lost: usize,
    pub(super) client_crashes: usize,
    pub(super) operator_crashes: usize,
    /// Transactions that ran out before they landed, and were signed anew.
    pub(super) renewed: usize,
}

impl Tally {
    /// Returns the counts of what has to happen in any fifty storms.
    pub(super) fn expected(&self) -> [usize; 10] {
        [
            self.blocks,
            self.payments,
            self.channels,
            self.vouchers,
            self.payer_closes,
            self.expiries,
            self.deadlines,
            self.client_crashes,
            self.operator_crashes,
            self.renewed,
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.payments += other.payments;
        self.channels += other.channels;
        self.vouchers += other.vouchers;
        self.payer_closes += other.payer_closes;
        self.expiries += other.expiries;
        self.deadlines += other.deadlines;
        self.lost += other.lost;
        self.client_crashes += other.client_crashes;
        self.operator_crashes += other.operator_crashes;
        self.renewed += other.renewed;
    }
}

/// Returns the most that a channel's payer has on its disk to have signed.
fn promised_by_payer(record: &ChannelRecord, clients: &[Client]) -> Amount {
    let payer = clients
        .iter()
        .find(|client| client.owns(&record.payer))
        .unwrap();
    let first = payer.disk.contracts[&record.id]
        .terms
        .rates
        .first_tick()
        .unwrap();
    payer.promised(&record.id).unwrap_or(first)
}
