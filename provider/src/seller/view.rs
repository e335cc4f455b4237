//! Owns how selling is shown, and what was earned.
//!
//! Never changes what is offered.

use std::time::Duration;

use market::{AgreementId, Amount, PricePerHour, Timestamp, wire};
use market_node::api::{GpuView, LeaseView, ProviderState, ProviderView, SandboxView, StandingAsk};
use market_node::store::RecordKind;
use matching::Position;
use serde::{Deserialize, Serialize};

use super::{Current, Seller, words};

/// What was earned in one lease, as kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Earning {
    paid: Amount,
    ended_at: Timestamp,
}

impl Seller {
    pub(super) fn view(&self) -> ProviderView {
        let leased = self
            .current
            .as_ref()
            .filter(|current| current.lease.is_some());
        let (state, why) = self.state(leased);
        let (earned, earned_today) = self.earnings();
        ProviderView {
            state,
            why,
            price: self.asked(),
            ask: self.standing_ask(),
            position: self.position(),
            earned,
            earned_today,
            gpus: vec![self.gpu_view()],
            sandbox: self.sandbox_view(),
            lease: leased.and_then(|current| self.lease_view(current)),
            yield_took_ms: self
                .yield_took
                .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn state(&self, leased: Option<&Current>) -> (ProviderState, String) {
        if let Some(why) = self.rest.why() {
            return (ProviderState::Paused, why);
        }
        if let Some(current) = leased {
            let note = self.lease_note(current);
            return (ProviderState::Earning, note.unwrap_or_default());
        }
        if let Some(why) = self.rest.why_withheld() {
            return (ProviderState::Paused, why);
        }
        match &self.offered {
            Some(_) => (ProviderState::Waiting, self.why_waiting()),
            None => {
                let problem = self.problem.clone();
                let problem = problem.unwrap_or_else(|| "starting".to_owned());
                (ProviderState::Offline, problem)
            }
        }
    }

    /// Returns the price of the ask that stands, or of the one that would.
    fn asked(&self) -> PricePerHour {
        let standing = self.offered.as_ref().map(|posted| posted.offered.ask.price);
        standing.unwrap_or_else(|| self.priced().price)
    }

    fn standing_ask(&self) -> StandingAsk {
        let pricing = &self.config.pricing;
        let (asked, priced) = (self.asked(), self.priced());
        let why = match self.bidding.outstanding() {
            Some((bid, price)) if price == asked => {
                format!("what bid {} pays, which was offered to", bid.short())
            }
            _ if priced.price == asked => priced.why,
            _ => format!("it becomes {} soon: {}", priced.price, priced.why),
        };
        StandingAsk {
            order: self.offered.as_ref().map(|posted| posted.offered.order),
            class: self.gauge.class,
            price: asked,
            why,
            strategy: pricing.strategy,
            set_price: pricing.price,
            floor: pricing.floor,
            least: pricing.least(),
            undercut_step: pricing.undercut_step,
            watts: pricing.power.watts,
            tariff: pricing.power.tariff,
            margin: pricing.margin,
        }
    }

    /// Returns how the ask that stands is placed; `None` where the last look was at one of another price.
    fn position(&self) -> Option<Position> {
        let asked = self.offered.as_ref()?.offered.ask.price;
        let look = self.look.as_ref()?;
        Some(look.position).filter(|position| position.price == asked)
    }

    fn why_waiting(&self) -> String {
        if let Some((bid, price)) = self.bidding.outstanding() {
            return format!(
                "bid {} at {price} was offered to; its answer is waited for",
                bid.short()
            );
        }
        let least = self.config.pricing.least();
        match self.position() {
            Some(position) => position.why_not_filled(least),
            None => "the offer stands; nobody takes it now".to_owned(),
        }
    }

    fn lease_note(&self, current: &Current) -> Option<String> {
        let snapshot = current.lease.as_ref()?.snapshot();
        words::lease_note(words::Standing {
            phase: snapshot.phase,
            waits_for: snapshot.waits_for,
            silent_since: snapshot.silent_since,
            now: self.node.clock.now().unwrap_or(Timestamp::from_millis(0)),
            patience: self.node.settings.lease.patience(),
            operator_quiet: self.operator_quiet(),
            proved_until: snapshot.proved_until,
        })
    }

    /// Returns for how long no block has been heard of.
    fn operator_quiet(&self) -> Duration {
        let ledger = &self.node.ledger;
        let newest = ledger.newest_header();
        newest.map_or(Duration::ZERO, |header| ledger.age(&header))
    }

    fn lease_view(&self, current: &Current) -> Option<LeaseView> {
        let snapshot = current.lease.as_ref()?.snapshot();
        let stage = *current.stage.borrow();
        Some(LeaseView {
            agreement: current.agreement,
            payer: current.payer,
            phase: snapshot.phase,
            meter: snapshot.meter,
            promised: snapshot.promised,
            price_per_hour: current.price,
            progress: stage.progress,
            loss: stage.loss,
            note: self.lease_note(current),
        })
    }

    fn gpu_view(&self) -> GpuView {
        let report = &self.gauge.report;
        GpuView {
            adapter: report.adapter.name.to_string(),
            class: self.gauge.class,
            gemm_mflops: report.figures.sustained_gemm_fp32_mflops.unwrap_or(0),
            memory_bytes: report.figures.usable_memory_bytes.unwrap_or(0),
        }
    }

    fn sandbox_view(&self) -> SandboxView {
        SandboxView {
            ready: true,
            layers: layer_names(&self.gauge.self_test.locked),
            problem: None,
        }
    }

    /// Sums what the store has of ended leases: in all, and of the last 24 hours of protocol time.
    fn earnings(&self) -> (Amount, Amount) {
        let since = self.node.clock.now().map_or(u64::MAX, Timestamp::as_millis);
        let since = since.saturating_sub(24 * 3_600_000);
        let records = self
            .node
            .store
            .records(RecordKind::Lease)
            .unwrap_or_default();
        let mut sums = (Amount::ZERO, Amount::ZERO);
        for (_, bytes) in records {
            let Ok(earning) = wire::decode::<Earning>(&bytes, 64) else {
                continue;
            };
            sums.0 = sums.0.checked_add(earning.paid).unwrap_or(sums.0);
            if earning.ended_at.as_millis() >= since {
                sums.1 = sums.1.checked_add(earning.paid).unwrap_or(sums.1);
            }
        }
        sums
    }

    /// Notes what a lease earned.
    pub(super) async fn keep_earning(&self, agreement: AgreementId, paid: Amount) {
        let ended_at = self.node.clock.now().unwrap_or(Timestamp::from_millis(0));
        let bytes = wire::encode(&Earning { paid, ended_at });
        let id = agreement.as_bytes();
        if let Err(error) = self
            .node
            .store
            .put_record(RecordKind::Lease, id, &bytes)
            .await
        {
            tracing::error!(%error, "what was earned could not be noted; the ledger has it");
        }
    }
}

/// Names the layers of a locked worker, each with what was observed.
pub(crate) fn layer_names(report: &sandbox::LockedReport) -> Vec<String> {
    let layers = report.layers.iter();
    layers
        .map(|layer| format!("{}: {}", layer.name, layer.evidence))
        .collect()
}
