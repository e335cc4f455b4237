//! The ledger's tests: a market of a few keys on a clock that the test drives. Every block that a
//! test makes is replayed by a second state, and every step checks that money is conserved.

mod attacks;
mod bad_input;
mod chain;
mod delegations;
mod edges;
mod machine;
mod model;
mod money;
mod operators;
mod proofs;
mod simulator;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::agreement::{Party, Rates, Terms};
use crate::amount::{Amount, PricePerHour};
use crate::delegation::{Delegation, Permission};
use crate::genesis::{Fees, Genesis};
use crate::ids::{ChannelId, JobId, NodeId, OrderId};
use crate::keys::SecretKey;
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::Signed;

const CHALLENGE_MS: u64 = 60_000;
const START_MS: u64 = 1_750_000_000_000;
/// One tick of [`World::terms`], 0.001 cr.
const TICK: u64 = 1_000_000;
const OPEN_FEE: u64 = 2_000_000;
const TRANSFER_FEE: u64 = 500_000;
const MINIMUM: u64 = 1_000_000;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn nano(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

fn credits(credits: u64) -> Amount {
    Amount::from_credits(credits).unwrap()
}

fn genesis() -> Genesis {
    Genesis {
        version: 1,
        name: "test".to_owned(),
        time: Timestamp::from_millis(START_MS),
        operators: vec![key(200).node()],
        treasury: vec![key(201).account(), key(202).account(), key(203).account()],
        treasury_threshold: 2,
        issue_cap_per_epoch: credits(1_000),
        minimum_balance: nano(MINIMUM),
        fees: Fees {
            transfer: nano(TRANSFER_FEE),
            open: nano(OPEN_FEE),
            channel_bps: 100,
        },
        challenge_ms: CHALLENGE_MS,
        open_posting: true,
    }
}

/// Puts a state together from any leaves, under `tip` with their root.
fn restored(genesis: &Genesis, mut tip: Header, leaves: Vec<Leaf>) -> State {
    let state = State::restore(genesis, tip.clone(), leaves.clone());
    if let Err(RestoreError::Root { found, .. }) = state {
        tip.state_root = found;
    }
    State::restore(genesis, tip, leaves).unwrap()
}

/// The keys that operate, one after the other: that of the genesis and those that it can be handed over to.
fn operator_key(index: u8) -> SecretKey {
    key(match index {
        0 => 200,
        index => 210 + index,
    })
}

/// The key of the operator that signs the next block; the first one of a committee.
fn operator_of(state: &State) -> SecretKey {
    let signs = |key: &SecretKey| state.operators().contains(&key.node());
    (0..8).map(operator_key).find(signs).unwrap()
}

/// A market on a virtual clock.
struct World {
    state: State,
    now_ms: u64,
    nonce: u64,
    log: Vec<Block>,
    operator: SecretKey,
    payer: SecretKey,
    payee: SecretKey,
}

impl World {
    /// A market whose payer owns 10 cr and whose payee owns nothing.
    fn new() -> Self {
        let mut world = Self::empty();
        let payer = world.payer.account();
        world.issue(payer, credits(10)).unwrap();
        world
    }

    fn empty() -> Self {
        Self {
            state: State::genesis(&genesis()).unwrap(),
            now_ms: START_MS,
            nonce: 0,
            log: Vec::new(),
            operator: key(200),
            payer: key(1),
            payee: key(2),
        }
    }

    fn transaction(&mut self, operation: Operation) -> Transaction {
        self.nonce += 1;
        Transaction {
            nonce: self.nonce,
            valid_until_height: self.state.tip().height + 1_000,
            operation,
        }
    }

    fn signed(&mut self, operation: Operation, keys: &[&SecretKey]) -> SignedTransaction {
        let transaction = self.transaction(operation);
        let chain = *self.state.chain();
        let (first, rest) = keys.split_first().unwrap();
        let signed = SignedTransaction::sign(&transaction, first, &chain);
        rest.iter()
            .fold(signed, |signed, key| signed.cosign(key, &chain).unwrap())
    }

    /// Makes a block 1 s later, checks it by replay, commits it, and returns what was refused.
    fn block(&mut self, batch: &[SignedTransaction]) -> Vec<Rejected> {
        self.block_after(1_000, batch)
    }

    fn block_after(&mut self, elapsed_ms: u64, batch: &[SignedTransaction]) -> Vec<Rejected> {
        self.now_ms += elapsed_ms;
        let now = Timestamp::from_millis(self.now_ms);
        let executed = execute(&self.state, batch, now, &self.operator).unwrap();
        let replayed = verify_block(&self.state, &executed.block).unwrap();
        assert_eq!(replayed.header(), executed.delta.header());
        self.state.commit(executed.delta).unwrap();
        self.operator = operator_of(&self.state);
        let audit = self.state.audit();
        assert!(audit.supply_conserved, "{audit:?}");
        assert_eq!(audit.treasury, Amount::ZERO);
        self.check_live_channels();
        self.log.push(executed.block);
        executed.rejected.into_iter().map(|(_, why)| why).collect()
    }

    /// Compares what the state says of each party's channels with a walk over all of them.
    fn check_live_channels(&self) {
        let mut walked: BTreeMap<_, BTreeSet<ChannelId>> = BTreeMap::new();
        for channel in self.state.channels() {
            for party in [channel.payer.account, channel.payee.account] {
                let live = walked.entry(party).or_default();
                if channel.state != ChannelState::Closed {
                    live.insert(channel.id);
                }
            }
        }
        for (party, live) in walked {
            let said = self.state.live_channels(&party).map(|channel| channel.id);
            assert!(said.eq(live), "the channels of {party}");
        }
    }

    /// Puts one transaction into a block of its own.
    fn submit(&mut self, signed: &SignedTransaction) -> Result<TxReceipt, Rejected> {
        let root = self.state.root();
        let chain = *self.state.chain();
        match self.block(std::slice::from_ref(signed)).pop() {
            Some(why) => {
                let is_quiet = self.log.last().unwrap().receipts.is_empty();
                assert!(!is_quiet || self.state.root() == root, "{why}");
                Err(why)
            }
            None => {
                let receipt = self.log.last().unwrap().receipts.last().unwrap().clone();
                assert_eq!(receipt.transaction(), Some(signed.id(&chain)));
                Ok(receipt)
            }
        }
    }

    fn act(&mut self, operation: Operation, keys: &[&SecretKey]) -> Result<TxReceipt, Rejected> {
        let signed = self.signed(operation, keys);
        self.submit(&signed)
    }

    /// Puts the state together anew from other leaves, under a tip with their root.
    fn restore(&mut self, leaves: Vec<Leaf>) {
        self.state = restored(&genesis(), self.state.tip().clone(), leaves);
    }

    /// Lets time pass in blocks of at most 10 s.
    fn pass(&mut self, mut ms: u64) {
        while ms > 0 {
            let step = ms.min(UPTIME_STEP_MS);
            assert!(self.block_after(step, &[]).is_empty());
            ms -= step;
        }
    }

    fn issue(&mut self, to: crate::ids::AccountId, amount: Amount) -> Result<TxReceipt, Rejected> {
        self.act(Operation::Issue { to, amount }, &[&key(201), &key(202)])
    }

    fn transfer(&mut self, to: &SecretKey, amount: u64) -> Result<TxReceipt, Rejected> {
        let payer = self.payer.clone();
        let operation = Operation::Transfer {
            from: payer.account(),
            to: to.account(),
            amount: nano(amount),
            memo: Memo::default(),
        };
        self.act(operation, &[&payer])
    }

    /// A deposit of 1 cr, a tick of 1 s for 0.001 cr, a week long, by account keys.
    fn terms(&self) -> Terms {
        let party = |key: &SecretKey| Party {
            account: key.account(),
            node: key.node(),
        };
        Terms {
            payer: party(&self.payer),
            payee: party(&self.payee),
            ask: OrderId::from_bytes([3; 32]),
            job: JobId::from_bytes([4; 32]),
            class: "16T-12G".parse().unwrap(),
            rates: Rates {
                price_per_hour: PricePerHour(nano(3_600 * TICK)),
                gpus: 1,
                hold_bps: 2_500,
                tick_ms: 1_000,
                prepaid_ticks: 1,
                delivery_ticks: 30,
            },
            deposit: credits(1),
            payer_nonce: 1,
            expires_at: Timestamp::from_millis(self.now_ms + 7 * 24 * 3_600_000),
        }
    }

    fn open(&mut self, terms: Terms) -> Result<ChannelId, Rejected> {
        let id = terms.channel_id(self.state.chain());
        let keys = [self.payer.clone(), self.payee.clone()];
        self.act(Operation::Open { terms }, &[&keys[0], &keys[1]])
            .map(|_| id)
    }

    /// Opens the channel of [`World::terms`].
    fn opened(&mut self) -> ChannelId {
        let terms = self.terms();
        self.open(terms).unwrap()
    }

    fn voucher(&self, channel: ChannelId, sequence: u64, cumulative: u64) -> Signed<Voucher> {
        let voucher = Voucher {
            channel,
            sequence,
            cumulative: nano(cumulative),
            meter_hash: [0; 32],
        };
        Signed::sign(&voucher, &self.payer, self.state.chain())
    }

    /// A claim that a stranger submits.
    fn claim(&mut self, channel: ChannelId, cumulative: u64) -> Result<TxReceipt, Rejected> {
        let voucher = self.voucher(channel, cumulative, cumulative);
        self.act(Operation::Claim { voucher }, &[&key(99)])
    }

    fn coop_close(
        &mut self,
        channel: ChannelId,
        voucher: Option<Signed<Voucher>>,
    ) -> Result<TxReceipt, Rejected> {
        let payee = self.payee.clone();
        self.act(Operation::CoopClose { channel, voucher }, &[&payee])
    }

    fn payer_close(&mut self, channel: ChannelId, cumulative: u64) -> Result<TxReceipt, Rejected> {
        let payer = self.payer.clone();
        let operation = Operation::PayerClose {
            channel,
            sequence: u64::MAX,
            cumulative: nano(cumulative),
        };
        self.act(operation, &[&payer])
    }

    fn record(&self, id: ChannelId) -> &ChannelRecord {
        self.state.channel(&id).unwrap()
    }

    fn available(&self, key: &SecretKey) -> u64 {
        self.state.available(&key.account()).nanocredits()
    }

    fn delegate(&self, account: &SecretKey, node: NodeId, permission: Permission) -> Delegation {
        Delegation {
            account: account.account(),
            node,
            permission,
            spend_cap: nano(1_500_000_000),
            expires_at: Timestamp::from_millis(self.now_ms + 100_000),
        }
    }
}

#[test]
fn a_refusal_is_counted_under_the_name_that_travels() {
    let refusals = [
        Rejected::BlockFull,
        Rejected::Arithmetic,
        Rejected::AlreadyApplied {
            id: crate::TxId::from_bytes([1; 32]),
        },
        Rejected::EpochCap {
            cap: nano(3),
            issued: nano(2),
            wanted: nano(2),
        },
    ];
    for refusal in refusals {
        let json = serde_json::to_value(&refusal).unwrap();
        let name = json.as_str().map(str::to_owned);
        let name = name.or_else(|| json.as_object()?.keys().next().cloned());
        assert_eq!(name.as_deref(), Some(refusal.rule()));
    }
}
