//! Owns the views that tests show.
//!
//! Never used outside tests.

pub(crate) mod market_data;
pub(crate) mod own_orders;
pub(crate) mod past;

use market::agreement::{Meter, Rates};
use market::job::{InferSpec, JobKind, JobSpec, Limits};
use market::lease::Phase;
use market::ledger::Code;
use market::order::Attributes;
use market::receipt::Outcome;
use market::{
    AccountId, AgreementId, Amount, BlobHash, ChainId, ChannelId, JobId, NodeId, OrderId,
    PricePerHour, Timestamp, TxId,
};
use market_node::api::{
    ArtefactView, AttemptView, AuditView, BalanceView, BestPrice, BidState, BidView, BlockSummary,
    BookRow, BookView, BudgetView, CostView, GpuView, HistoryRow, HistoryView, JobDetail, JobView,
    LeaseView, OfferView, OperatorView, PendingRefund, ProviderState, ProviderView, QuoteView,
    RunId, SandboxView, StatusView, TxView,
};

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(crate) fn price(text: &str) -> PricePerHour {
    PricePerHour(amount(text))
}

pub(crate) fn time() -> Timestamp {
    Timestamp::from_millis(1_782_907_445_000)
}

/// A node that buys and has nothing to do.
pub(crate) fn consumer() -> StatusView {
    let account = AccountId::from_bytes([0xa1; 32]);
    StatusView {
        version: "0.1.0".to_owned(),
        market: "my-market".to_owned(),
        chain: ChainId::from_bytes([0xc4; 32]),
        account,
        node: NodeId::from_bytes([0x40; 32]),
        peers: 3,
        height: Some(1234),
        protocol_time: Some(Timestamp::from_millis(1_800_000_000_000)),
        operator_reachable: true,
        offers: 5,
        balance: Some(BalanceView {
            account,
            available: amount("12.5"),
            in_channels: amount("0.3"),
            total: amount("12.8"),
            height: 1230,
            stale_s: None,
        }),
        provider: None,
        jobs: Vec::new(),
        bids: Vec::new(),
        notes: Vec::new(),
        revoked: None,
        best_prices: vec![
            best("4T-8G", "0.11", 3),
            best("8T-12G", "0.200000001", 1),
            best("cpu-0.5T-4G", "0.02", 1),
        ],
    }
}

fn best(class: &str, asked: &str, offers: usize) -> BestPrice {
    BestPrice {
        class: class.parse().unwrap(),
        price: price(asked),
        offers,
    }
}

/// A node that sells and is in `state`, without a lease.
pub(crate) fn provider(state: ProviderState, why: &str) -> StatusView {
    let selling = ProviderView {
        state,
        why: why.to_owned(),
        price: price("0.25"),
        ask: own_orders::standing_ask(),
        position: None,
        earned: amount("31.000000007"),
        earned_today: amount("0.75"),
        gpus: vec![GpuView {
            adapter: "GeForce RTX 3060".to_owned(),
            class: "8T-12G".parse().unwrap(),
            gemm_mflops: 8_130_000,
            memory_bytes: 12_025_908_428,
        }],
        sandbox: SandboxView {
            ready: true,
            layers: vec!["namespaces".into(), "landlock".into(), "seccomp".into()],
            problem: None,
        },
        lease: None,
        yield_took_ms: None,
    };
    StatusView {
        provider: Some(selling),
        ..consumer()
    }
}

/// A node that sells and runs a lease at `step` of 200.
pub(crate) fn earning(step: u64, loss: f32) -> StatusView {
    let mut status = provider(ProviderState::Earning, "");
    let lease = LeaseView {
        agreement: AgreementId::from_bytes([0x9c; 32]),
        payer: AccountId::from_bytes([0xb0; 32]),
        phase: Phase::Running,
        meter: Meter {
            running_ms: 190_000,
            hold_ms: 2_100,
        },
        promised: amount("0.0132"),
        price_per_hour: price("0.25"),
        progress: Some((step, 200)),
        loss: Some(loss),
        note: None,
    };
    status.provider.as_mut().unwrap().lease = Some(lease);
    status
}

/// A bought job that runs.
pub(crate) fn job() -> JobView {
    JobView {
        run: RunId::from_bytes([0x1d; 8]),
        attempts: 1,
        job: JobId::from_bytes([0x10; 32]),
        agreement: AgreementId::from_bytes([0x9c; 32]),
        channel: ChannelId::from_bytes([0x77; 32]),
        kind: "train".to_owned(),
        provider: NodeId::from_bytes([0x5e; 32]),
        class: "8T-12G".parse().unwrap(),
        price_per_hour: price("0.25"),
        phase: Phase::Running,
        outcome: None,
        deposit: amount("0.3"),
        paid: amount("0.01"),
        refunded: None,
        pending_refund: None,
        meter: Meter {
            running_ms: 190_000,
            hold_ms: 2_100,
        },
        progress: Some((20, 200)),
        output: "/home/me/trained".into(),
        receipt: false,
        started_at: time(),
        note: None,
    }
}

/// A bid that waits.
pub(crate) fn bid() -> BidView {
    BidView {
        run: RunId::from_bytes([0x2e; 8]),
        kind: "train".to_owned(),
        job: JobId::from_bytes([0x10; 32]),
        order: Some(OrderId::from_bytes([0xb1; 32])),
        class: "8T-12G".parse().unwrap(),
        max_price: price("0.25"),
        gpus: 1,
        deposit: amount("0.3"),
        since: time(),
        until: time().saturating_add(std::time::Duration::from_secs(7_200)),
        state: BidState::Waiting,
        misfits: Some("40 offers: 31 too little memory, 9 above your price".to_owned()),
        output: "/home/me/trained".into(),
        note: None,
    }
}

/// The same job, over and settled.
pub(crate) fn settled(outcome: Outcome) -> JobView {
    JobView {
        phase: Phase::Ended,
        outcome: Some(outcome),
        paid: amount("0.013195834"),
        refunded: Some(amount("0.286804166")),
        progress: Some((200, 200)),
        receipt: true,
        ..job()
    }
}

/// The same job, whose provider was lost: money is on its way back, and another provider went on.
pub(crate) fn refunding() -> JobView {
    JobView {
        run: RunId::from_bytes([0x2e; 8]),
        attempts: 2,
        outcome: Some(Outcome::Lost),
        phase: Phase::Ended,
        pending_refund: Some(pending()),
        note: Some("every address of the provider refuses".to_owned()),
        ..job()
    }
}

fn pending() -> PendingRefund {
    PendingRefund {
        amount: amount("0.19"),
        due_at: time(),
    }
}

/// A run in its second attempt, after its first provider was lost.
pub(crate) fn detail() -> JobDetail {
    let job = JobView {
        attempts: 2,
        pending_refund: Some(pending()),
        note: Some("attempt 2 goes on after step 10".to_owned()),
        ..job()
    };
    let first = AttemptView {
        attempt: 1,
        agreement: AgreementId::from_bytes([0x8b; 32]),
        channel: job.channel,
        provider: NodeId::from_bytes([0x4d; 32]),
        class: job.class,
        rates: rates(),
        phase: Phase::Closing,
        outcome: Some(Outcome::Lost),
        lost: Some("every address refuses".to_owned()),
        from_step: 0,
        meter: job.meter,
        deposit: job.deposit,
        paid: amount("0.005"),
        refunded: None,
        pending_refund: Some(pending()),
        receipt: false,
        started_at: time(),
    };
    let second = AttemptView {
        attempt: 2,
        agreement: job.agreement,
        provider: job.provider,
        phase: Phase::Running,
        outcome: None,
        lost: None,
        from_step: 10,
        pending_refund: None,
        ..first.clone()
    };
    JobDetail {
        artefacts: vec![artefact()],
        attempts: vec![first, second],
        budget: BudgetView {
            max_price: None,
            total: Some(amount("0.3")),
            delivery_ticks: Some(30),
        },
        spec: spec(),
        sandbox_level: 1,
        checkpoint_step: Some(10),
        events: (0, 140),
        job,
    }
}

fn rates() -> Rates {
    Rates {
        price_per_hour: price("0.25"),
        gpus: 1,
        hold_bps: 2_500,
        tick_ms: 10_000,
        prepaid_ticks: 1,
        delivery_ticks: 30,
    }
}

fn spec() -> JobSpec {
    JobSpec {
        inputs: Vec::new(),
        kind: JobKind::Infer(InferSpec::new("Once")),
        limits: Limits::default(),
    }
}

fn artefact() -> ArtefactView {
    ArtefactView {
        name: "step-10/model.safetensors".to_owned(),
        hash: hash(),
        bytes: 4_300_000,
        path: "/home/me/trained/step-10/model.safetensors".into(),
        delivered_at: time(),
    }
}

fn ask(asked: &str) -> BookRow {
    BookRow {
        order: OrderId::from_bytes([0x0d; 32]),
        account: AccountId::from_bytes([0xb0; 32]),
        node: NodeId::from_bytes([0x5e; 32]),
        class: "8T-12G".parse().unwrap(),
        price: price(asked),
        gpus: 1,
        max_duration_s: 86_400,
        usable_mib: 11_468,
        gemm_mflops: 8_130_000,
        f16_mflops: None,
        gb_per_s: Some(360),
        upload_mb_per_s: None,
        network_mbit_per_s: Some(40),
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        proven: false,
        expires_in_s: 55,
    }
}

/// A book of two asks.
pub(crate) fn book() -> BookView {
    BookView {
        time: Some(time()),
        asks: vec![ask("0.2"), ask("0.25")],
    }
}

/// A fitting offer.
pub(crate) fn offer(asked: &str) -> OfferView {
    OfferView {
        row: ask(asked),
        expected_seconds: 90,
        expected_total: amount("0.005000001"),
    }
}

/// A quote with two fitting offers of five.
pub(crate) fn quote() -> QuoteView {
    QuoteView {
        job: JobId::from_bytes([0x10; 32]),
        offers: vec![offer("0.2"), offer("0.25")],
        fitting: 2,
        considered: 5,
        rejections: vec![
            ("above your price".into(), 2),
            ("too little memory".into(), 1),
        ],
        summary: "5 offers: 2 above your price, 1 too little memory".to_owned(),
        hint: Some("at 0.3 cr/h: 2 offers".to_owned()),
        expected: Some(CostView {
            total: amount("0.005100001"),
            running: amount("0.005000001"),
            opening_fee: amount("0.0001"),
        }),
        deposit: amount("0.2"),
    }
}

/// A page of a history: a transfer whose note tries to clear the screen with its fee, and movements of channels of
/// which not the same is known.
pub(crate) fn history() -> HistoryView {
    let row = |(height, index), (what, code): (&str, Code), change: &str| HistoryRow {
        height,
        index,
        time: time(),
        what: what.to_owned(),
        code,
        change: change.to_owned(),
        balance: amount("12.5"),
        counterparty: None,
        channel: None,
        agreement: None,
        run: None,
        tx: Some(TxId::from_bytes([0x7a; 32])),
        memo: String::new(),
    };
    let with = |byte, row| HistoryRow {
        counterparty: Some(AccountId::from_bytes([byte; 32])),
        ..row
    };
    let channel = |byte, row| HistoryRow {
        channel: Some(ChannelId::from_bytes([byte; 32])),
        agreement: Some(AgreementId::from_bytes([byte; 32])),
        ..with(byte, row)
    };
    let deadline = ("refund at the deadline", Code::Refund);
    HistoryView {
        account: AccountId::from_bytes([0xa1; 32]),
        entries: vec![
            row((1230, 3), ("transfer fee", Code::TransferFee), "-0.0001"),
            HistoryRow {
                memo: "rent \x1b[2J".to_owned(),
                ..with(0xb2, row((1230, 2), ("transfer", Code::Transfer), "-0.25"))
            },
            HistoryRow {
                run: Some(RunId::from_bytes([0x52; 8])),
                tx: None,
                ..channel(0xb2, row((9, 0), deadline, "+12.75"))
            },
            channel(0xd4, row((8, 12), ("claim", Code::Payout), "+0.1")),
            channel(0xa1, row((8, 1), ("first tick", Code::Payout), "+0.1")),
            HistoryRow {
                counterparty: None,
                agreement: None,
                ..channel(0xe5, row((7, 2), ("channel payout", Code::Payout), "+1"))
            },
        ],
        next: Some("7:2".to_owned()),
    }
}

/// A final transaction.
pub(crate) fn transaction() -> TxView {
    TxView {
        tx: TxId::from_bytes([0x7a; 32]),
        height: 1230,
    }
}

/// An operator whose sums add up.
pub(crate) fn operator() -> OperatorView {
    OperatorView {
        join: "c4c4@/ip4/127.0.0.1/tcp/4001/p2p/12D3Koo".to_owned(),
        height: 1234,
        time: time(),
        peers: 3,
        operators: vec![NodeId::from_bytes([0xd4; 32])],
        operators_since: 1200,
        last_blocks: [(1234, 2), (1233, 0)]
            .map(|(height, transactions)| BlockSummary {
                height,
                time: time(),
                transactions,
            })
            .to_vec(),
        finals: 41,
        refused: [("insufficient".to_owned(), 3)].into(),
        audit: AuditView {
            available: amount("99.5"),
            channels: amount("0.3"),
            fees: amount("0.2"),
            issued: amount("100"),
            redeemed: Amount::ZERO,
            burned: Amount::ZERO,
            conserved: true,
        },
    }
}

/// A hash of nothing in particular.
pub(crate) fn hash() -> BlobHash {
    BlobHash::from_bytes([0xb1; 32])
}
