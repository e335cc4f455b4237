//! Owns the ledger of the race: the real state machine, its blocks, and the money of all who take part.
//!
//! Never lets a block pass that does not conserve money.

use market::agreement::Terms;
use market::genesis::{Fees, Genesis};
use market::keys::SecretKey;
use market::ledger::{
    ChannelRecord, ChannelState, Operation, SignedTransaction, State, Transaction, execute,
};
use market::{AccountId, Amount, ChainId, ChannelId, Timestamp};

/// When the market begins, in milliseconds.
pub(in super::super) const START_MS: u64 = 1_800_000_000_000;

/// Blocks in which an opening can be submitted.
const VALID_BLOCKS: u64 = 60;

pub(in super::super) struct Ledger {
    pub(in super::super) state: State,
    /// Milliseconds since the beginning.
    pub(super) now_ms: u64,
    operator: SecretKey,
    accounts: Vec<AccountId>,
    known: Vec<ChannelId>,
    number: u64,
}

impl Ledger {
    /// Founds a market in which every key has a hundred credits.
    pub(super) fn new(keys: Vec<SecretKey>) -> Self {
        let (operator, treasury) = (
            SecretKey::from_seed([200; 32]),
            SecretKey::from_seed([201; 32]),
        );
        let nano = Amount::from_nanocredits;
        let genesis = Genesis {
            version: 1,
            name: "race".to_owned(),
            time: Timestamp::from_millis(START_MS),
            operators: vec![operator.node()],
            treasury: vec![treasury.account()],
            treasury_threshold: 1,
            issue_cap_per_epoch: Amount::from_credits(1_000).unwrap(),
            minimum_balance: nano(1_000),
            fees: Fees {
                transfer: nano(1_000),
                open: nano(100_000),
                channel_bps: 100,
            },
            challenge_ms: 60_000,
            open_posting: true,
        };
        let mut ledger = Self {
            state: State::genesis(&genesis).unwrap(),
            now_ms: 0,
            operator,
            accounts: keys.iter().map(SecretKey::account).collect(),
            known: Vec::new(),
            number: 0,
        };
        let amount = Amount::from_credits(100).unwrap();
        let issues = ledger.accounts.clone().into_iter().map(|to| {
            let operation = Operation::Issue { to, amount };
            ledger.signed(operation, &treasury)
        });
        let issues: Vec<_> = issues.collect();
        ledger.block(&issues, 1);
        ledger
    }

    pub(super) fn chain(&self) -> &ChainId {
        self.state.chain()
    }

    pub(in super::super) fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.iter().copied()
    }

    pub(in super::super) fn open_fee(&self) -> Amount {
        self.state.rules().fees.open
    }

    /// Notes which channels there are before a round.
    pub(super) fn begin_round(&mut self) {
        self.known = self.state.channels().map(|channel| channel.id).collect();
    }

    /// Returns the channels of this round.
    pub(in super::super) fn opened_in_round(&self) -> impl Iterator<Item = &ChannelRecord> {
        let channels = self.state.channels();
        channels.filter(|channel| !self.known.contains(&channel.id))
    }

    fn signed(&mut self, operation: Operation, key: &SecretKey) -> SignedTransaction {
        self.number += 1;
        let transaction = Transaction {
            nonce: self.number,
            valid_until_height: self.state.tip().height + VALID_BLOCKS,
            operation,
        };
        SignedTransaction::sign(&transaction, key, self.state.chain())
    }

    pub(super) fn signed_open(&mut self, terms: &Terms, key: &SecretKey) -> SignedTransaction {
        let terms = terms.clone();
        self.signed(Operation::Open { terms }, key)
    }

    pub(super) fn has_applied(&self, signed: &SignedTransaction) -> bool {
        self.state.has_applied(&signed.id(self.state.chain()))
    }

    /// Makes a block of `batch`; what the rules refuse is left out.
    pub(super) fn block(&mut self, batch: &[SignedTransaction], now_ms: u64) {
        self.now_ms = now_ms.max(self.now_ms);
        let now = Timestamp::from_millis(START_MS + self.now_ms);
        let executed = execute(&self.state, batch, now, &self.operator).unwrap();
        self.state.commit(executed.delta).unwrap();
        let audit = self.state.audit();
        assert!(audit.supply_conserved, "{audit:?}");
    }

    /// Closes every open channel by its payee, with what the opening has paid.
    pub(super) fn close_all(&mut self, payees: Vec<SecretKey>, seed: u64) {
        let open = |channel: &&ChannelRecord| channel.state == ChannelState::Open;
        let open: Vec<_> = self.state.channels().filter(open).cloned().collect();
        let mut batch = Vec::new();
        for channel in open {
            let is_its = |key: &&SecretKey| key.account() == channel.payee.account;
            let key = payees.iter().find(is_its).expect("a provider of the race");
            let operation = Operation::CoopClose {
                channel: channel.id,
                voucher: None,
            };
            batch.push(self.signed(operation, key));
        }
        self.block(&batch, self.now_ms + 1);
        let applied = batch.iter().filter(|signed| self.has_applied(signed));
        assert_eq!(
            applied.count(),
            batch.len(),
            "seed {seed}: a close is refused"
        );
    }
}
