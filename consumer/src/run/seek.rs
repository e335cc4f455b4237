//! Owns finding somebody for the next attempt: offers that fit and did not fail this run, tried in order, and
//! waited for where an earlier attempt was lost.
//!
//! Never holds two agreements for one attempt: all openings of one search carry the same nonce.

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use market::OrderId;
use market::job::JobSpec;
use market_node::api::{OfferView, RunEvent};
use market_node::identity::fresh_nonce;
use matching::{Offer, Quote};

use super::attempt::{share, unshare};
use super::refusers::Refusers;
use super::sent::Sent;
use super::wait::{Wait, wait_for};
use super::{Ended, Run, wanted};
use crate::buyer::RunError;
use crate::job_file::Budget;
use crate::need;
use crate::record::RunRecord;
use crate::reserve::{self, Opened, Opening, ReserveError};

/// How often another provider is looked for.
const SEEK_AGAIN: Duration = Duration::from_secs(2);

/// What a search ends with.
pub(super) enum Sought {
    /// An attempt has begun.
    Open(Ended),
    /// The person wants nothing more.
    Cancelled,
}

/// One search: what is to be bought, and what was tried for it.
pub(super) struct Search {
    pub(super) record: RunRecord,
    pub(super) job: JobSpec,
    /// The step after which the job goes on; 0 from the beginning.
    pub(super) from_step: u32,
    began: Instant,
    /// What the next opening may lock.
    budget: Budget,
    /// The nonce of every opening that is signed for this attempt: the ledger takes it once, so however often
    /// and with whomever it is tried, at most one channel opens.
    payer_nonce: u64,
    sent: Sent,
    refusers: Refusers,
    /// The offer that is tried before those that rank higher: its provider said that it sells.
    pub(super) called: Option<OrderId>,
    /// What kind of failure was told last, by one that goes on looking.
    told: Option<Discriminant<RunError>>,
}

impl Search {
    /// Takes the run in as it stands now. An attempt that opened and could not begin has used the nonce.
    fn renew(&mut self, record: RunRecord) -> Result<(), RunError> {
        if record.next_attempt() != self.record.next_attempt() {
            self.payer_nonce = fresh_nonce()?;
        }
        self.record = record;
        Ok(())
    }

    /// Tells whether everybody with a fitting offer is left alone now, as somebody is who has just refused.
    pub(super) fn is_left_alone(&self, quote: &Quote) -> bool {
        let now = Instant::now();
        let rests = |offer: &Offer| self.refusers.rests(offer.register.node, now);
        quote.offers.iter().all(rests)
    }

    /// Returns how many openings were signed to which no proof came back.
    pub(super) fn sent_count(&self) -> usize {
        self.sent.count()
    }

    /// Leaves all openings to be watched until they can open nothing.
    pub(super) fn watch_sent(self) {
        self.sent.watch();
    }

    /// Tells whether a failure was told since the last time that this was asked.
    pub(super) fn has_told(&mut self) -> bool {
        self.told.take().is_some()
    }

    /// Tells whether a failure is of another kind than the one before.
    pub(super) fn is_news(&mut self, error: &RunError) -> bool {
        let kind = Some(discriminant(error));
        std::mem::replace(&mut self.told, kind) != kind
    }
}

impl Run {
    /// Finds somebody. The first attempt of a run takes what there is now; a later one waits, and where a refund
    /// on its way pays for it, as long as that takes.
    pub(super) async fn seek(&mut self) -> Result<Sought, RunError> {
        let Some(mut search) = self.search().await? else {
            return Ok(Sought::Cancelled);
        };
        let sought = self.seek_until(&mut search).await;
        search.sent.watch();
        sought
    }

    async fn seek_until(&mut self, search: &mut Search) -> Result<Sought, RunError> {
        let is_first = search.record.attempts.is_empty();
        let patience = self.buyer.node.settings.lease.patience();
        let mut until = search.began + patience;
        let mut told = None;
        loop {
            if *self.cancelled.borrow() {
                return Ok(Sought::Cancelled);
            }
            let error = match self.seek_once(search).await {
                Ok(ended) => return Ok(Sought::Open(ended)),
                Err(_) if *self.cancelled.borrow() => return Ok(Sought::Cancelled),
                Err(error) if is_first => return Err(error),
                // Nobody who could be waited for changes that.
                Err(error @ RunError::Revoked(_)) => return Err(error),
                Err(error) => error,
            };
            let wait = self.wait_for(&error);
            if let Some(left) = wait.left() {
                until = until.max(Instant::now() + left + patience);
            }
            if Instant::now() >= until {
                return Err(error);
            }
            if told.replace(wait.kind()) != Some(wait.kind()) {
                self.tell_wait(wait.words(&error, patience));
            }
            tokio::select! {
                () = tokio::time::sleep(SEEK_AGAIN) => {}
                () = wanted(&mut self.cancelled) => {}
            }
            let Some(record) = self.record() else {
                return Ok(Sought::Cancelled);
            };
            search.renew(record)?;
        }
    }

    /// Makes ready what is to be bought: whole inputs, and the newest checkpoint. `None` where the run is gone.
    pub(super) async fn search(&self) -> Result<Option<Search>, RunError> {
        let Some(record) = self.record() else {
            return Ok(None);
        };
        let buyer = &self.buyer;
        for line in buyer.check_inputs(&record.job, &record.sources).await? {
            tracing::warn!(run = %self.run, line);
            self.log.tell(RunEvent::Note { line });
        }
        let (job, from_step) = self.next_job(&record).await;
        Ok(Some(Search {
            budget: record.next_budget(),
            record,
            job,
            from_step,
            began: Instant::now(),
            payer_nonce: fresh_nonce()?,
            sent: Sent::default(),
            refusers: Refusers::default(),
            called: None,
            told: None,
        }))
    }

    /// Decides what is waited for after an attempt to go on that came to nothing.
    fn wait_for(&self, error: &RunError) -> Wait {
        let now = self.buyer.node.clock.now();
        let (Some(missing), Some(now)) = (error.missing(), now) else {
            return Wait::Provider;
        };
        wait_for(missing, self.buyer.runs.pending_refunds(), now)
    }

    pub(super) fn tell_wait(&self, line: String) {
        self.log.tell(RunEvent::Note { line: line.clone() });
        self.buyer
            .runs
            .change(self.run, |live| live.record.note = Some(line));
    }

    /// Tries the offers of one moment.
    pub(super) async fn seek_once(&self, search: &mut Search) -> Result<Ended, RunError> {
        self.buyer.check_standing().await?;
        let mut quote = self.quote(search).await?;
        if quote.offers.is_empty() {
            return Err(RunError::NoOffer(nothing_fits(search, &quote)));
        }
        let now = Instant::now();
        let refusers = &search.refusers;
        quote
            .offers
            .retain(|offer| !refusers.rests(offer.register.node, now));
        let called = search.called.take();
        // Stable, so that the others stay in their order.
        quote
            .offers
            .sort_by_key(|offer| called != Some(offer.order));
        let Some(best) = quote.offers.first() else {
            let (tried, last) = search.refusers.summary();
            return Err(RunError::AllRefused { tried, last });
        };
        search.budget = self.budget(search, best).await?;
        self.reserve_one(search, &quote).await
    }

    /// Returns what the next attempt may lock. The first one locks what the job file says; a later one less where
    /// the account cannot lock all that is left of the budget, as money of attempts before it is on its way back.
    async fn budget(&self, search: &Search, best: &Offer) -> Result<Budget, RunError> {
        let budget = search.record.next_budget();
        let terms = reserve::terms(&self.buyer.node, best, &search.job, &budget, 0);
        let wanted = terms.map(|terms| terms.deposit).ok().or(budget.total);
        let wanted = wanted.unwrap_or_default();
        if search.record.attempts.is_empty() {
            self.buyer.check_money(wanted).await?;
            return Ok(budget);
        }
        let total = self.buyer.lockable(wanted, best.expected_total).await?;
        Ok(Budget {
            total: Some(total),
            ..budget
        })
    }

    /// Ranks the offers of those who did not fail this run.
    async fn quote(&self, search: &Search) -> Result<Quote, RunError> {
        let mut need = need::of_run(&search.record, &search.job, &self.buyer.node);
        if let Some(work) = &mut need.work
            && search.from_step > 0
        {
            let checkpoint = search.record.checkpoint();
            let (done, all) = search.record.steps_done(checkpoint.as_ref());
            let left = u128::from(all.saturating_sub(done).max(1));
            work.flops = work.flops / u128::from(all.max(1)) * left;
        }
        let mut quote = self.buyer.settled_quote(need).await?;
        let failed = search.record.failed_providers();
        quote
            .offers
            .retain(|offer| !failed.contains(&offer.register.node));
        Ok(quote)
    }

    /// Tries the offers in order until one is open.
    async fn reserve_one(&self, search: &mut Search, quote: &Quote) -> Result<Ended, RunError> {
        for offer in &quote.offers {
            if *self.cancelled.borrow() {
                break;
            }
            let shown: OfferView = need::offer_view(offer, &self.buyer.node);
            self.log.tell(RunEvent::Chosen {
                offer: Box::new(shown),
                summary: quote.rejections.to_string(),
            });
            match self.attempt(search, offer).await {
                Ok((opening, opened)) => {
                    search.sent.forget().await;
                    return self.take_opened(search, opening, opened).await;
                }
                Err(error) => {
                    let (node, reason) = (offer.register.node, error.to_string());
                    let now = Instant::now();
                    search.refusers.note(node, reason.clone(), now);
                    self.log.tell(RunEvent::Refused { node, reason });
                }
            }
        }
        if let Some(ended) = self.look_at_sent(search).await? {
            return Ok(ended);
        }
        let (tried, last) = search.refusers.summary();
        Err(RunError::AllRefused { tried, last })
    }

    /// Begins the attempt of an opening whose answer was lost and that is final after all; `None` where none is.
    pub(super) async fn look_at_sent(
        &self,
        search: &mut Search,
    ) -> Result<Option<Ended>, RunError> {
        let Some((opening, opened)) = search.sent.look().await else {
            return Ok(None);
        };
        search.sent.forget().await;
        share(&self.buyer, &search.job, opening.terms().payee.node);
        self.take_opened(search, opening, opened).await.map(Some)
    }

    /// Tries one offer. An opening that left this machine goes to the sent ones.
    async fn attempt(
        &self,
        search: &mut Search,
        offer: &Offer,
    ) -> Result<(Opening, Opened), ReserveError> {
        let (node, job) = (&self.buyer.node, &search.job);
        let terms = reserve::terms(node, offer, job, &search.budget, search.payer_nonce)?;
        let provider = terms.payee.node;
        let opening = Opening::sign(node, terms)?;
        // Before anyone else has it.
        let runs = &self.buyer.runs;
        runs.keep_opening(self.run, opening.transaction()).await?;
        share(&self.buyer, job, provider);
        let error = match opening.reserve(job).await {
            Ok(opened) => return Ok((opening, opened)),
            Err(error) => error,
        };
        unshare(&self.buyer, job, provider);
        search.sent.take(error.fate(), opening).await;
        Err(error)
    }
}

/// Says in words what was looked for, for how long, and why nothing fits.
fn nothing_fits(search: &Search, quote: &Quote) -> String {
    let record = &search.record;
    let looked_for = need::words(&search.job, &record.next_budget(), record.needs);
    let mut summary = need::no_offer(&looked_for, &quote.rejections, search.began.elapsed());
    let failed = search.record.failed_providers().len();
    if failed > 0 {
        summary = format!("{summary}; {failed} that failed this run not counted");
    }
    summary
}
