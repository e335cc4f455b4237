//! Which reservations a provider takes: real keys, delegations and signatures.

use std::time::Duration;

use market::agreement::{Party, Rates, Terms};
use market::gpu::{AdapterForm, AdapterInfo, Figures, GpuReport, Label};
use market::job::{self, JobKind, JobSpec, Limits, TrainSpec};
use market::ledger::{Operation, SignedTransaction, Transaction};
use market::order::{Ask, AskFigures, Attributes, Evidence};
use market::{Amount, BlobHash, ChainId, OrderId, PricePerHour, Timestamp};
use market_node::config::{Counterparty, SellSettings};
use market_node::home::Home;
use market_node::identity::Identity;
use market_node::lease_protocol::{Refusal, Reservation};
use tempfile::TempDir;

use super::{Accepted, Arrival, Offered, accept};

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

fn chain() -> ChainId {
    ChainId::from_bytes([7; 32])
}

/// A provider with its offer, and a buyer who knows both.
pub(crate) struct Deal {
    _folders: [TempDir; 2],
    provider: Identity,
    buyer: Identity,
    offered: Offered,
    wanted: SellSettings,
    job: JobSpec,
    terms: Terms,
}

fn identity() -> (TempDir, Identity) {
    let folder = TempDir::new().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    let identity = Identity::create(&home, &chain(), NOW).unwrap();
    (folder, identity)
}

pub(crate) fn offered(provider: &Identity) -> Offered {
    let label = |text: &str| Label::sanitized(text);
    let figures = Figures {
        sustained_gemm_fp32_mflops: Some(16_500_000),
        usable_memory_bytes: Some(12 << 30),
        ..Figures::default()
    };
    let report = GpuReport {
        adapter: AdapterInfo {
            name: label("card"),
            vendor_id: 1,
            device_id: 2,
            driver: label("driver"),
            backend: label("vulkan"),
            form: AdapterForm::Discrete,
            pci_bus_id: None,
        },
        figures,
        method_version: 1,
        measured_at: NOW,
    };
    let ask = Ask {
        account: provider.account,
        class: report.class(None).unwrap(),
        price: PricePerHour(Amount::from_nanocredits(3_600_000)),
        gpus: 1,
        max_duration_s: 7_200,
        figures: AskFigures::of(&report.figures).unwrap(),
        upload_mb_per_s: None,
        network_mbit_per_s: None,
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::of(b"report")),
        hold_bps: 2_500,
        tick_ms: 10_000,
    };
    let order = OrderId::from_bytes([5; 32]);
    Offered { order, ask, report }
}

impl Deal {
    pub(crate) fn new() -> Self {
        let ((first, provider), (second, buyer)) = (identity(), identity());
        let offered = offered(&provider);
        let data = "data.txt".parse().unwrap();
        let job = JobSpec {
            inputs: vec![job::Input::of("data.txt".parse().unwrap(), b"a text")],
            kind: JobKind::Train(TrainSpec::new(data)),
            limits: Limits::default(),
        };
        let party = |identity: &Identity| Party {
            account: identity.account,
            node: identity.node(),
        };
        let terms = Terms {
            payer: party(&buyer),
            payee: party(&provider),
            ask: offered.order,
            job: job.id(&chain()),
            class: offered.ask.class,
            rates: Rates {
                price_per_hour: offered.ask.price,
                gpus: 1,
                hold_bps: 2_500,
                tick_ms: 10_000,
                prepaid_ticks: 1,
                delivery_ticks: 30,
            },
            deposit: Amount::from_nanocredits(1_000_000),
            payer_nonce: 1,
            expires_at: NOW.saturating_add(Duration::from_secs(3_600)),
        };
        Self {
            _folders: [first, second],
            provider,
            buyer,
            offered,
            wanted: SellSettings::default(),
            job,
            terms,
        }
    }

    pub(crate) fn reservation(&self) -> Reservation {
        let transaction = Transaction {
            nonce: 1,
            valid_until_height: 60,
            operation: Operation::Open {
                terms: self.terms.clone(),
            },
        };
        let signed = SignedTransaction::sign(&transaction, &self.buyer.node_key, &chain());
        Reservation {
            open: signed.with_delegation(self.buyer.delegation.clone()),
            job: self.job.clone(),
        }
    }

    fn answer(&self, reservation: Reservation) -> Result<Accepted, Refusal> {
        let arrival = Arrival {
            from: self.buyer.node(),
            now: NOW,
            wanted: &self.wanted,
        };
        accept(
            reservation,
            &self.offered,
            &self.provider,
            arrival,
            &chain(),
        )
    }

    /// Changes the deal and returns why it is refused.
    fn refusal(change: impl FnOnce(&mut Self)) -> Refusal {
        let mut deal = Self::new();
        change(&mut deal);
        deal.answer(deal.reservation()).unwrap_err()
    }
}

#[test]
fn what_was_offered_is_taken_and_signed_by_both() {
    let deal = Deal::new();
    let accepted = deal.answer(deal.reservation()).unwrap();
    assert_eq!(accepted.terms, deal.terms);
    let verified = accepted.open.verify(&chain()).unwrap();
    for node in [deal.buyer.node(), deal.provider.node()] {
        assert!(verified.signers.contains(node.as_bytes()));
    }
}

#[test]
fn an_offer_that_was_replaced_is_told_apart_from_terms_that_differ() {
    let replaced = Deal::refusal(|deal| deal.terms.ask = OrderId::from_bytes([6; 32]));
    assert!(matches!(replaced, Refusal::OfferChanged(_)), "{replaced}");
    let changes: [fn(&mut Terms); 4] = [
        |terms| terms.rates.price_per_hour = PricePerHour(Amount::from_nanocredits(1)),
        |terms| terms.rates.hold_bps = 2_499,
        |terms| terms.rates.tick_ms = 60_000,
        |terms| terms.expires_at = NOW.saturating_add(Duration::from_secs(59)),
    ];
    for change in changes {
        let refusal = Deal::refusal(|deal| change(&mut deal.terms));
        assert!(matches!(refusal, Refusal::Terms(_)), "{refusal}");
    }
}

#[test]
fn a_buyer_that_is_not_who_it_says_is_refused() {
    let deal = Deal::new();
    let (_folder, stranger) = identity();
    let arrival = Arrival {
        from: stranger.node(),
        now: NOW,
        wanted: &deal.wanted,
    };
    let reservation = deal.reservation();
    let answer = accept(
        reservation,
        &deal.offered,
        &deal.provider,
        arrival,
        &chain(),
    );
    assert!(
        matches!(answer, Err(Refusal::Terms(_))),
        "another connection"
    );
    let other_payee = Deal::refusal(|deal| deal.terms.payee = deal.terms.payer);
    assert!(matches!(other_payee, Refusal::Terms(_)), "{other_payee}");
    let (_folder, other) = identity();
    let undelegated = Deal::refusal(|deal| deal.buyer.delegation = other.delegation.clone());
    assert!(
        undelegated.to_string().contains("delegated"),
        "{undelegated}"
    );
}

#[test]
fn a_job_that_is_another_or_too_large_is_refused_in_words() {
    let deal = Deal::new();
    let mut reservation = deal.reservation();
    reservation.job.limits.wall_clock_s += 1;
    let other = deal.answer(reservation).unwrap_err();
    assert!(other.to_string().contains("terms name"), "{other}");
    let refusal = |change: fn(&mut JobSpec)| {
        let refusal = Deal::refusal(|deal| {
            change(&mut deal.job);
            deal.terms.job = deal.job.id(&chain());
        });
        assert!(matches!(refusal, Refusal::Job(_)), "{refusal}");
        refusal.to_string()
    };
    assert!(refusal(|job| job.limits.wall_clock_s = 7_201).contains("7201 s"));
    assert!(refusal(|job| job.limits.memory_bytes = 1 << 40).contains("host memory"));
    assert!(refusal(|job| job.inputs.clear()).contains("inputs"));
}

#[test]
fn who_is_denied_or_not_allowed_is_refused_and_told_so() {
    let told = |change: fn(&mut Deal)| Deal::refusal(change).to_string();
    let denied = told(|deal| deal.wanted.deny = vec![Counterparty::Account(deal.buyer.account)]);
    assert!(
        denied.contains("deny list") && denied.contains("night1"),
        "{denied}"
    );
    let denied = told(|deal| deal.wanted.deny = vec![Counterparty::Node(deal.buyer.node())]);
    assert!(denied.contains("deny list"), "{denied}");
    let other = told(|deal| deal.wanted.allow = vec![Counterparty::Account(deal.provider.account)]);
    assert!(other.contains("allow list"), "{other}");
    let mut deal = Deal::new();
    deal.wanted.allow = vec![Counterparty::Node(deal.buyer.node())];
    assert!(deal.answer(deal.reservation()).is_ok());
}

#[test]
fn a_price_above_the_asked_one_is_taken_and_one_below_is_not() {
    let mut deal = Deal::new();
    deal.terms.rates.price_per_hour = PricePerHour(Amount::from_nanocredits(3_600_001));
    assert!(deal.answer(deal.reservation()).is_ok());
    deal.terms.rates.price_per_hour = PricePerHour(Amount::from_nanocredits(3_599_999));
    assert!(deal.answer(deal.reservation()).is_err());
}
