//! Owns how the rest of the node talks to its seller.
//!
//! Never decides anything: every call is a wish, except that a pause ends the worker before it waits for its turn.

use std::time::{Duration, Instant};

use market_node::api::{AskChange, ProviderView};
use tokio::sync::{mpsc, oneshot, watch};

use crate::kill_switch::KillSwitch;

/// What the seller is asked for; each is answered with how selling goes then.
#[derive(Debug)]
pub(super) enum Wish {
    View(oneshot::Sender<ProviderView>),
    /// With how long it took to end the worker, where there was one.
    Pause(Option<Duration>, oneshot::Sender<ProviderView>),
    Resume(oneshot::Sender<ProviderView>),
    /// As a pause, with what the machine is needed for.
    Yield(String, Option<Duration>, oneshot::Sender<ProviderView>),
    /// What the machine is needed for reads otherwise now.
    Explain(String, oneshot::Sender<ProviderView>),
    /// The machine is needed for nothing else any more.
    Regain(oneshot::Sender<ProviderView>),
    Pricing(AskChange, oneshot::Sender<ProviderView>),
    Withhold(oneshot::Sender<ProviderView>),
}

/// Talks to the seller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SellerHandle {
    pub(super) wishes: mpsc::Sender<Wish>,
    pub(super) occupied: watch::Receiver<bool>,
    pub(super) switch: watch::Receiver<KillSwitch>,
}

impl SellerHandle {
    /// Returns selling at a glance; `None` when the seller has stopped.
    pub async fn view(&self) -> Option<ProviderView> {
        self.ask(Wish::View).await
    }

    /// Stops the running job at once and withdraws all offers. The worker is ended before anything else, past
    /// every queue; then the work done is settled.
    pub async fn pause(&self) -> Option<ProviderView> {
        let took = self.end_worker().await;
        self.ask(|done| Wish::Pause(took, done)).await
    }

    /// Gives the machine to what it is needed for: as [`Self::pause`], but it ends with [`Self::regain`], and neither
    /// touches a pause of the owner's.
    pub async fn yield_to(&self, reason: String) -> Option<ProviderView> {
        let took = self.end_worker().await;
        self.ask(|done| Wish::Yield(reason, took, done)).await
    }

    /// Says anew what the machine is needed for, after [`Self::yield_to`].
    pub async fn explain(&self, reason: String) -> Option<ProviderView> {
        self.ask(|done| Wish::Explain(reason, done)).await
    }

    /// Offers again after [`Self::yield_to`].
    pub async fn regain(&self) -> Option<ProviderView> {
        self.ask(Wish::Regain).await
    }

    /// Ends the worker, past every queue, and returns how long that took where there was one.
    async fn end_worker(&self) -> Option<Duration> {
        let wished_at = Instant::now();
        let switch = self.switch.borrow().clone();
        let pulled = tokio::task::spawn_blocking(move || switch.pull()).await;
        let took = pulled.unwrap_or(false).then(|| wished_at.elapsed());
        if let Some(took) = took {
            let took_ms = took.as_millis();
            tracing::info!(took_ms, "the worker is gone; the machine is its owner's");
        }
        took
    }

    /// Offers again, after a pause or after the ask was cancelled.
    pub async fn resume(&self) -> Option<ProviderView> {
        self.ask(Wish::Resume).await
    }

    /// Makes the price otherwise from now on, and offers again where the ask was cancelled.
    pub async fn change_ask(&self, change: AskChange) -> Option<ProviderView> {
        self.ask(|done| Wish::Pricing(change, done)).await
    }

    /// Takes the ask out of the book and posts none until [`Self::resume`], [`Self::change_ask`] or the next start.
    /// A lease that runs goes on.
    pub async fn cancel_ask(&self) -> Option<ProviderView> {
        self.ask(Wish::Withhold).await
    }

    /// Tells whether the seller has stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        self.wishes.is_closed()
    }

    /// Returns whether a lease runs, opens or waits for its receipt, now and whenever that changes.
    pub fn occupancy(&self) -> watch::Receiver<bool> {
        self.occupied.clone()
    }

    /// Waits until no lease runs, opens or waits for its receipt, or the seller has stopped.
    pub async fn idle(&self) {
        let mut occupied = self.occupied.clone();
        let _stopped = occupied.wait_for(|occupied| !occupied).await;
    }

    async fn ask(
        &self,
        wish: impl FnOnce(oneshot::Sender<ProviderView>) -> Wish,
    ) -> Option<ProviderView> {
        let (done, answer) = oneshot::channel();
        self.wishes.send(wish(done)).await.ok()?;
        answer.await.ok()
    }
}
