//! Owns finding somebody for the next attempt: offers that fit and did not fail this run, tried in order, and
//! waited for where an earlier attempt was lost.
//!
//! Never holds two agreements for one attempt: all openings of one search carry the same nonce.

use std::time::{Duration, Instant};

use market::Timestamp;
use market::job::JobSpec;
use market_node::api::{OfferView, RunEvent};
use market_node::identity::fresh_nonce;
use matching::{Offer, Quote};

use super::attempt::{share, unshare};
use super::wait::{Wait, wait_for};
use super::{Ended, Run, wanted};
use crate::buyer::RunError;
use crate::need;
use crate::record::RunRecord;
use crate::reserve::{self, Opening, ReserveError};

/// How often another provider is looked for.
const SEEK_AGAIN: Duration = Duration::from_secs(2);

/// How long a buyer whom all offers failed waits for those whose answer was lost, and how often it looks.
const LAST_LOOK: Duration = Duration::from_secs(30);
const LAST_LOOK_STEP: Duration = Duration::from_secs(1);

/// What a search ends with.
pub(super) enum Sought {
    /// An attempt has begun.
    Open(Ended),
    /// The person wants nothing more.
    Cancelled,
}

/// One search: what is to be bought.
pub(super) struct Search {
    pub(super) record: RunRecord,
    pub(super) job: JobSpec,
    /// The step after which the job goes on; 0 from the beginning.
    pub(super) from_step: u32,
}

/// Openings that were signed and sent, and to which no proof came back.
#[derive(Default)]
struct Sent {
    /// May be final: the answer was lost, or says nothing about it.
    doubtful: Vec<Opening>,
    /// Refused in words. A word is no proof, so they are watched all the same.
    refused: Vec<Opening>,
}

impl Run {
    /// Finds somebody. The first attempt of a run takes what there is now; a later one waits, and where a refund
    /// on its way pays for it, as long as that takes.
    pub(super) async fn seek(&mut self) -> Result<Sought, RunError> {
        let began = Instant::now();
        let Some(mut search) = self.search().await? else {
            return Ok(Sought::Cancelled);
        };
        let is_first = search.record.attempts.is_empty();
        let patience = self.buyer.node.settings.lease.patience();
        let mut until = began + patience;
        let mut told = None;
        loop {
            if *self.cancelled.borrow() {
                return Ok(Sought::Cancelled);
            }
            let error = match self.seek_once(&search, began).await {
                Ok(ended) => return Ok(Sought::Open(ended)),
                Err(error) if is_first => return Err(error),
                Err(error) => error,
            };
            let wait = self.wait_for(&error);
            if let Wait::Refund { left, .. } = wait {
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
            search.record = record;
        }
    }

    /// Makes ready what is to be bought: whole inputs, and the newest checkpoint. `None` where the run is gone.
    async fn search(&self) -> Result<Option<Search>, RunError> {
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
            record,
            job,
            from_step,
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

    fn tell_wait(&self, line: String) {
        self.log.tell(RunEvent::Note { line: line.clone() });
        self.buyer
            .runs
            .change(self.run, |live| live.record.note = Some(line));
    }

    async fn seek_once(&self, search: &Search, began: Instant) -> Result<Ended, RunError> {
        let quote = self.quote(search).await?;
        let Some(best) = quote.offers.first() else {
            let words = nothing_fits(search, &quote, began.elapsed());
            return Err(RunError::NoOffer(words));
        };
        let budget = search.record.next_budget();
        let deposit = reserve::terms(&self.buyer.node, best, &search.job, &budget, 0);
        let deposit = deposit.map(|terms| terms.deposit).ok();
        self.buyer
            .check_money(deposit.or(budget.total).unwrap_or_default())
            .await?;
        self.reserve_one(search, &quote).await
    }

    /// Ranks the offers of those who did not fail this run.
    async fn quote(&self, search: &Search) -> Result<Quote, RunError> {
        let budget = search.record.next_budget();
        let node = &self.buyer.node;
        let mut need = need::of(&search.job, &budget, node.identity.account);
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
    async fn reserve_one(&self, search: &Search, quote: &Quote) -> Result<Ended, RunError> {
        let payer_nonce = fresh_nonce()?;
        let mut last = String::new();
        let mut sent = Sent::default();
        let mut tried = 0;
        for offer in &quote.offers {
            if *self.cancelled.borrow() {
                "the run was cancelled".clone_into(&mut last);
                break;
            }
            tried += 1;
            let shown: OfferView = need::offer_view(offer, &self.buyer.node);
            self.log.tell(RunEvent::Chosen {
                offer: Box::new(shown),
                summary: quote.rejections.to_string(),
            });
            match self.attempt(search, offer, payer_nonce, &mut sent).await {
                Ok((opening, at)) => {
                    // They carry the nonce that is used now, so they open nothing any more.
                    for opening in sent.doubtful.into_iter().chain(sent.refused) {
                        opening.forget().await;
                    }
                    return self.open(search, opening, at).await;
                }
                Err(error) => {
                    last = error.to_string();
                    let reason = last.clone();
                    let node = offer.register.node;
                    self.log.tell(RunEvent::Refused { node, reason });
                }
            }
        }
        if let Some((opening, at)) = look_again(sent).await {
            share(&self.buyer, &search.job, opening.terms().payee.node);
            return self.open(search, opening, at).await;
        }
        Err(RunError::AllRefused { tried, last })
    }

    /// Tries one offer. An opening that left this machine goes to the sent ones.
    async fn attempt(
        &self,
        search: &Search,
        offer: &Offer,
        payer_nonce: u64,
        sent: &mut Sent,
    ) -> Result<(Opening, Timestamp), ReserveError> {
        let (node, job) = (&self.buyer.node, &search.job);
        let terms = reserve::terms(node, offer, job, &search.record.next_budget(), payer_nonce)?;
        let provider = terms.payee.node;
        let opening = Opening::sign(node, terms).await?;
        share(&self.buyer, job, provider);
        let error = match opening.reserve(job).await {
            Ok(at) => return Ok((opening, at)),
            Err(error) => error,
        };
        unshare(&self.buyer, job, provider);
        match error.fate() {
            reserve::Fate::Unknown => sent.doubtful.push(opening),
            reserve::Fate::Refused => sent.refused.push(opening),
            reserve::Fate::NeverSent => opening.forget().await,
        }
        Err(error)
    }
}

/// Says in words what was looked for, for how long, and why nothing fits.
fn nothing_fits(search: &Search, quote: &Quote, looked: Duration) -> String {
    let looked_for = need::words(&search.job, &search.record.next_budget());
    let mut summary = need::no_offer(&looked_for, &quote.rejections, looked);
    let failed = search.record.failed_providers().len();
    if failed > 0 {
        summary = format!("{summary}; {failed} that failed this run not counted");
    }
    summary
}

/// Looks for a while whether one of the openings without an answer is final after all; then leaves them to be
/// watched until they can open nothing. Those that were refused are looked at once.
async fn look_again(mut sent: Sent) -> Option<(Opening, Timestamp)> {
    let patience = Instant::now() + LAST_LOOK;
    let mut found = None;
    let waits = !sent.doubtful.is_empty();
    sent.doubtful.append(&mut sent.refused);
    let mut openings = sent.doubtful;
    while found.is_none() && !openings.is_empty() {
        // Asked before the look: an opening that has lapsed and is not there then never will be.
        let waiting = waits && Instant::now() < patience && openings.iter().any(Opening::can_open);
        for (position, opening) in openings.iter().enumerate() {
            if let Ok(Some(at)) = opening.look().await {
                found = Some((position, at));
                break;
            }
        }
        if found.is_none() && !waiting {
            break;
        }
        if found.is_none() {
            tokio::time::sleep(LAST_LOOK_STEP).await;
        }
    }
    let found = found.map(|(position, at)| (openings.swap_remove(position), at));
    openings.into_iter().for_each(Opening::watch);
    found
}
