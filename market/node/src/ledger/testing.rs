//! A small market for the tests of this folder: keys, a genesis, signed operations.

pub(crate) mod reachable;

use std::time::Duration;

use market::agreement::{Meter, Party, Rates, Terms};
use market::amount::SUPPLY_CAP;
use market::genesis::{Fees, Genesis};
use market::keys::SecretKey;
use market::lease::Phase;
use market::ledger::{Memo, Operation, SignedTransaction, Transaction};
use market::voucher::Voucher;
use market::wire::Signed;
use market::{Amount, ChainId, JobId, OrderId, PricePerHour, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::operator::{Operator, OperatorConfig, OperatorError, OperatorHandle, Recovered};
use crate::api::{JobView, RunId};
use crate::clock::wall_now;

pub(crate) const TRANSFER_FEE: u64 = 500;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn nano(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        version: 1,
        name: "test".to_owned(),
        time: Timestamp::from_millis(1_750_000_000_000),
        operators: vec![key(200).node()],
        treasury: vec![key(201).account()],
        treasury_threshold: 1,
        issue_cap_per_epoch: SUPPLY_CAP,
        minimum_balance: nano(1),
        fees: Fees {
            transfer: nano(TRANSFER_FEE),
            open: nano(2_000),
            channel_bps: 100,
        },
        challenge_ms: 60_000,
        open_posting: true,
    }
}

pub(crate) fn config(folder: &TempDir) -> OperatorConfig {
    OperatorConfig {
        segment_bytes: 4_096,
        ..OperatorConfig::new(folder.path().join("ledger"), genesis(), key(200))
    }
}

/// Signs an operation as any number of keys; `nonce` tells equal operations apart.
pub(crate) fn signed(nonce: u64, operation: Operation, keys: &[&SecretKey]) -> SignedTransaction {
    let transaction = Transaction {
        nonce,
        valid_until_height: 50_000,
        operation,
    };
    let chain = genesis().chain_id();
    let (first, rest) = keys.split_first().unwrap();
    rest.iter().fold(
        SignedTransaction::sign(&transaction, first, &chain),
        |signed, key| signed.cosign(key, &chain).unwrap(),
    )
}

pub(crate) fn issue(nonce: u64, to: &SecretKey, amount: u64) -> SignedTransaction {
    let operation = Operation::Issue {
        to: to.account(),
        amount: nano(amount),
    };
    signed(nonce, operation, &[&key(201)])
}

pub(crate) fn transfer(
    nonce: u64,
    from: &SecretKey,
    to: &SecretKey,
    amount: u64,
) -> SignedTransaction {
    let operation = Operation::Transfer {
        from: from.account(),
        to: to.account(),
        amount: nano(amount),
        memo: Memo::try_from(format!("payment {nonce}")).unwrap(),
    };
    signed(nonce, operation, &[from])
}

/// Terms of a channel with a deposit of 1,000,000 nanocredits and a first tick of 1,000.
pub(crate) fn terms(payer: &SecretKey, payee: &SecretKey) -> Terms {
    let party = |key: &SecretKey| Party {
        account: key.account(),
        node: key.node(),
    };
    Terms {
        payer: party(payer),
        payee: party(payee),
        ask: OrderId::from_bytes([3; 32]),
        job: JobId::from_bytes([4; 32]),
        class: "16T-12G".parse().unwrap(),
        rates: Rates {
            price_per_hour: PricePerHour(nano(3_600_000)),
            gpus: 1,
            hold_bps: 2_500,
            tick_ms: 1_000,
            prepaid_ticks: 1,
            delivery_ticks: 30,
        },
        deposit: nano(1_000_000),
        payer_nonce: 1,
        expires_at: wall_now().saturating_add(Duration::from_secs(86_400)),
    }
}

/// Opens the channel of [`terms`] that `number` tells apart, as one transaction, and closes it with all in all `paid`
/// nanocredits, as another. The account of `payer` needs 1,002,000 nanocredits.
pub(crate) fn settled(
    number: u64,
    (payer, payee): (&SecretKey, &SecretKey),
    paid: u64,
) -> [SignedTransaction; 2] {
    let terms = Terms {
        payer_nonce: number,
        ..terms(payer, payee)
    };
    let chain = genesis().chain_id();
    let voucher = Voucher {
        channel: terms.channel_id(&chain),
        sequence: 1,
        cumulative: nano(paid),
        meter_hash: [0; 32],
    };
    let close = Operation::CoopClose {
        channel: voucher.channel,
        voucher: Some(Signed::sign(&voucher, payer, &chain)),
    };
    let open = Operation::Open { terms };
    [
        signed(number, open, &[payer, payee]),
        signed(number, close, &[payee]),
    ]
}

/// What a node keeps of a job that it bought under `terms`.
pub(crate) fn job(terms: &Terms, chain: &ChainId) -> JobView {
    JobView {
        run: RunId::from_bytes([1; 8]),
        attempts: 1,
        job: terms.job,
        agreement: terms.id(chain),
        channel: terms.channel_id(chain),
        kind: "train".to_owned(),
        provider: terms.payee.node,
        class: terms.class,
        price_per_hour: terms.rates.price_per_hour,
        phase: Phase::Running,
        outcome: None,
        deposit: terms.deposit,
        paid: Amount::ZERO,
        refunded: None,
        pending_refund: None,
        meter: Meter::default(),
        progress: None,
        output: "out".into(),
        receipt: false,
        started_at: wall_now(),
        note: None,
    }
}

/// A change of the operators that these keys have signed.
pub(crate) fn hand_over(nonce: u64, to: &SecretKey, keys: &[&SecretKey]) -> SignedTransaction {
    let operators = vec![to.node()];
    signed(nonce, Operation::SetOperators { operators }, keys)
}

/// An operator that runs in the background.
pub(crate) struct Running {
    pub(crate) handle: OperatorHandle,
    pub(super) recovered: Recovered,
    task: JoinHandle<Result<(), OperatorError>>,
}

impl Running {
    pub(crate) fn start(config: OperatorConfig) -> Self {
        let (handle, operator, recovered) = Operator::open(config).unwrap();
        Self {
            handle,
            recovered,
            task: tokio::spawn(operator.run()),
        }
    }

    /// Ends the operator where it is, as a kill would: nothing is flushed or closed in order.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _cancelled = self.task.await;
    }
}
