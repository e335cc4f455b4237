//! Owns a small real ledger: a few blocks with every kind of operation, the same on every run.
//!
//! Never asks what is allowed; it is the ground that bytes are tried on.

use std::sync::LazyLock;

use crate::agreement::{Party, Rates, Terms};
use crate::delegation::{Delegation, Permission};
use crate::genesis::{Fees, Genesis};
use crate::keys::SecretKey;
use crate::ledger::{
    Block, Memo, Operation, SignedTransaction, State, Transaction, TrustedSet, execute,
};
use crate::voucher::Voucher;
use crate::wire::Signed;
use crate::{AccountId, Amount, ChannelId, JobId, OrderId, PricePerHour, Timestamp};

const START_MS: u64 = 1_750_000_000_000;
const TICK: u64 = 1_000_000;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// The account that pays.
pub(super) fn payer() -> SecretKey {
    key(1)
}

/// The account that is paid.
pub(super) fn payee() -> SecretKey {
    key(2)
}

/// The payer's machine.
pub(super) fn rig() -> SecretKey {
    key(11)
}

/// The payee's machine.
pub(super) fn desk() -> SecretKey {
    key(12)
}

/// The operator.
pub(super) fn operator() -> SecretKey {
    key(200)
}

/// The two treasury keys.
pub(super) fn treasury() -> [SecretKey; 2] {
    [key(201), key(202)]
}

pub(super) fn genesis() -> Genesis {
    Genesis {
        version: 1,
        name: "small".to_owned(),
        time: Timestamp::from_millis(START_MS),
        operators: vec![operator().node()],
        treasury: treasury().map(|key| key.account()).to_vec(),
        treasury_threshold: 2,
        issue_cap_per_epoch: nano(1_000_000 * TICK),
        minimum_balance: nano(TICK),
        fees: Fees {
            transfer: nano(TICK / 2),
            open: nano(2 * TICK),
            channel_bps: 100,
        },
        challenge_ms: 15_000,
        open_posting: true,
    }
}

fn nano(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

/// A ledger of some blocks.
pub(super) struct SmallLedger {
    /// After the last block but one.
    pub(super) before: State,
    /// After the last block.
    pub(super) state: State,
    /// All blocks.
    #[cfg(test)]
    pub(super) blocks: Vec<Block>,
    /// Who is trusted from the start.
    pub(super) trusted: TrustedSet,
    /// A channel that is open, whose payer signs by its account's key.
    #[cfg(test)]
    pub(super) open: ChannelId,
    /// A channel that is closing.
    #[cfg(test)]
    pub(super) closing: ChannelId,
}

impl SmallLedger {
    pub(super) fn get() -> &'static Self {
        static LEDGER: LazyLock<SmallLedger> = LazyLock::new(|| Writer::new().write());
        &LEDGER
    }
}

/// Puts the ledger together.
struct Writer {
    before: State,
    state: State,
    blocks: Vec<Block>,
    nonce: u64,
}

impl Writer {
    fn new() -> Self {
        let state = State::genesis(&genesis()).expect("the genesis is valid");
        Self {
            before: state.clone(),
            state,
            blocks: Vec::new(),
            nonce: 0,
        }
    }

    fn write(mut self) -> SmallLedger {
        let [one, two] = treasury();
        let issue = |to: AccountId| Operation::Issue {
            to,
            amount: nano(100_000 * TICK),
        };
        let batch = [
            self.sign(issue(payer().account()), &[&one, &two]),
            self.sign(issue(payee().account()), &[&one, &two]),
        ];
        self.block(1_000, &batch);
        let redeem = Operation::Redeem {
            from: payee().account(),
            amount: nano(TICK),
        };
        let batch = [
            self.sign(pay("for the night"), &[&payer()]),
            self.sign(redeem, &[&payee(), &one, &two]),
        ];
        self.block(1_000, &batch);
        let brief = self.open(terms(1, START_MS + 4_000));
        let [close, open, closing] = [2, 3, 4].map(|nonce| self.open(terms(nonce, u64::MAX)));
        let delegated = self.delegated();
        self.block(1_000, &[delegated]);
        let claim = Operation::Claim {
            voucher: self.voucher(open, 7 * TICK),
        };
        let coop = Operation::CoopClose {
            channel: close,
            voucher: Some(self.voucher(close, 9 * TICK)),
        };
        let batch = [self.sign(claim, &[&key(99)]), self.sign(coop, &[&payee()])];
        self.block(5_000, &batch);
        self.block(15_000, &[]);
        assert!(self.state.channel(&brief).is_some(), "expired and closed");
        let leave = Operation::PayerClose {
            channel: closing,
            sequence: 1,
            cumulative: nano(3 * TICK),
        };
        let leave = self.sign(leave, &[&payer()]);
        self.block(1_000, &[leave]);
        SmallLedger {
            before: self.before,
            state: self.state,
            #[cfg(test)]
            blocks: self.blocks,
            trusted: TrustedSet::genesis(&genesis()),
            #[cfg(test)]
            open,
            #[cfg(test)]
            closing,
        }
    }

    fn sign(&mut self, operation: Operation, keys: &[&SecretKey]) -> SignedTransaction {
        self.nonce += 1;
        sign(&self.state, self.nonce, operation, keys)
    }

    fn block(&mut self, elapsed_ms: u64, batch: &[SignedTransaction]) {
        let now = Timestamp::from_millis(self.state.tip().time.as_millis() + elapsed_ms);
        let executed = execute(&self.state, batch, now, &operator()).expect("it is the operator");
        assert!(executed.rejected.is_empty(), "{:?}", executed.rejected);
        self.before = self.state.clone();
        self.state
            .commit(executed.delta)
            .expect("the block follows the tip");
        self.blocks.push(executed.block);
    }

    fn open(&mut self, terms: Terms) -> ChannelId {
        let id = terms.channel_id(self.state.chain());
        let open = self.sign(Operation::Open { terms }, &[&payer(), &payee()]);
        self.block(100, &[open]);
        id
    }

    /// An open by the machines of both sides, under their delegations.
    fn delegated(&mut self) -> SignedTransaction {
        let mut terms = terms(5, u64::MAX);
        (terms.payer.node, terms.payee.node) = (rig().node(), desk().node());
        let signed = self.sign(Operation::Open { terms }, &[&rig(), &desk()]);
        delegations(&self.state)
            .into_iter()
            .fold(signed, SignedTransaction::with_delegation)
    }

    fn voucher(&self, channel: ChannelId, cumulative: u64) -> Signed<Voucher> {
        voucher(&self.state, channel, nano(cumulative))
    }
}

/// Signs an operation as any number of keys.
pub(super) fn sign(
    state: &State,
    nonce: u64,
    operation: Operation,
    keys: &[&SecretKey],
) -> SignedTransaction {
    let transaction = Transaction {
        nonce,
        valid_until_height: state.tip().height + 1_000,
        operation,
    };
    seal(state, &transaction, keys)
}

/// Signs a transaction as any number of keys; the first is the operator's where none is given.
pub(super) fn seal(
    state: &State,
    transaction: &Transaction,
    keys: &[&SecretKey],
) -> SignedTransaction {
    let chain = state.chain();
    let operator = &operator();
    let (first, rest) = keys.split_first().unwrap_or((&operator, &[]));
    let signed = SignedTransaction::sign(transaction, first, chain);
    rest.iter().fold(signed, |signed, key| {
        signed.cosign(key, chain).expect("all seals are good")
    })
}

/// What lets the machines of both sides act.
pub(super) fn delegations(state: &State) -> [Signed<Delegation>; 2] {
    let delegation = |account: &SecretKey, node: &SecretKey, permission| {
        let delegation = Delegation {
            account: account.account(),
            node: node.node(),
            permission,
            spend_cap: nano(5_000 * TICK),
            expires_at: Timestamp::from_millis(u64::MAX),
        };
        Signed::sign(&delegation, account, state.chain())
    };
    [
        delegation(&payer(), &rig(), Permission::Buy),
        delegation(&payee(), &desk(), Permission::SellAndBuy),
    ]
}

/// A voucher that binds the payer's account key.
pub(super) fn voucher(state: &State, channel: ChannelId, cumulative: Amount) -> Signed<Voucher> {
    let voucher = Voucher {
        channel,
        sequence: cumulative.nanocredits(),
        cumulative,
        meter_hash: [0; 32],
    };
    Signed::sign(&voucher, &payer(), state.chain())
}

/// A payment from the payer to the payee.
pub(super) fn pay(memo: &str) -> Operation {
    Operation::Transfer {
        from: payer().account(),
        to: payee().account(),
        amount: nano(30 * TICK),
        memo: Memo::try_from(memo.to_owned()).expect("the memo is short"),
    }
}

/// Terms between the accounts of both sides: a deposit of 1,000 ticks.
pub(super) fn terms(payer_nonce: u64, expires_at_ms: u64) -> Terms {
    let party = |key: SecretKey| Party {
        account: key.account(),
        node: key.node(),
    };
    Terms {
        payer: party(payer()),
        payee: party(payee()),
        ask: OrderId::from_bytes([3; 32]),
        job: JobId::from_bytes([4; 32]),
        class: "16T-12G".parse().expect("the class exists"),
        rates: Rates {
            price_per_hour: PricePerHour(nano(3_600 * TICK)),
            gpus: 1,
            hold_bps: 2_500,
            tick_ms: 1_000,
            prepaid_ticks: 1,
            delivery_ticks: 30,
        },
        deposit: nano(1_000 * TICK),
        payer_nonce,
        expires_at: Timestamp::from_millis(expires_at_ms),
    }
}
