//! Owns a run while its bid stands: what its machine decides is done here, by the search of any run.
//!
//! Never leaves an order in the book of a bid that is filled or over, and never ends a bid because a provider, the
//! account or the operator could not go on just now.

use std::time::Duration;

use market::{HeaderId, Timestamp};
use market_node::api::RunEvent;
use market_node::book::{BookError, PostError};
use matching::{Quote, Refused};

use super::seek::{Search, Sought};
use super::{Ended, Run, wanted};
use crate::buyer::RunError;
use crate::need;
use crate::record::{BidEnd, InBook};
use crate::standing::{self, Found, Standing, Step};

/// How often a node that does not know the time yet looks again, and the longest wait by the clock.
const PULSE: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Openings without a proof beyond which a bid makes no more until some of them can open nothing any more.
const MAX_SENT: usize = 32;

impl Run {
    /// Stands until an attempt has begun, or the bid is over. The order is gone from the book when this returns.
    pub(super) async fn stand(&mut self) -> Result<Sought, RunError> {
        let Some(mut search) = self.search().await? else {
            return Ok(Sought::Cancelled);
        };
        let stood = self.stand_until(&mut search).await;
        self.leave_book().await;
        search.watch_sent();
        stood
    }

    /// Tells whether this run bids, and nothing was bought for it.
    pub(super) fn bids(&self) -> bool {
        let record = self.record();
        record.is_some_and(|record| record.open_bid().is_some())
    }

    async fn stand_until(&mut self, search: &mut Search) -> Result<Sought, RunError> {
        let mut changes = self.buyer.node.book.watch();
        loop {
            if *self.cancelled.borrow() {
                return Ok(Sought::Cancelled);
            }
            let now = self.buyer.node.clock.now();
            match self.machine(|bid| now.map(|now| (now, bid.machine.next(now)))) {
                None => return Ok(Sought::Cancelled),
                Some(None) => self.wait(PULSE, &mut changes).await,
                Some(Some((now, Step::Wait { until }))) => {
                    let left = until.saturating_since(now).min(LONGEST_WAIT);
                    self.wait(left, &mut changes).await;
                }
                Some(Some((now, Step::Post { lifetime }))) => self.post(now, lifetime).await?,
                Some(Some((_, Step::Look { called }))) => {
                    changes.mark_unchanged();
                    search.called = called;
                    if let Some(ended) = self.look(search).await? {
                        return Ok(Sought::Open(ended));
                    }
                }
                Some(Some((_, Step::End))) => return Err(self.unsold()),
            }
        }
    }

    /// Waits for `left`, a change of the book, an offer, or the wish to cancel.
    async fn wait(&mut self, left: Duration, changes: &mut tokio::sync::watch::Receiver<u64>) {
        let Some((wake, is_stale)) = self.machine(|bid| (bid.wake.clone(), bid.machine.is_stale()))
        else {
            return;
        };
        let has_changed = tokio::select! {
            () = tokio::time::sleep(left) => false,
            () = wake.notified() => false,
            // A book that changes all the time wakes nobody who will look at it in any case.
            changed = changes.changed(), if !is_stale => changed.is_ok(),
            () = wanted(&mut self.cancelled) => false,
        };
        if has_changed {
            self.machine(|bid| bid.machine.book_changed());
        }
    }

    /// Works with the bid under its lock; `None` where there is none any more.
    fn machine<T>(&self, work: impl FnOnce(&mut Standing) -> T) -> Option<T> {
        let work = |live: &mut crate::runs::Live| live.standing.as_mut().map(work);
        self.buyer.runs.change(self.run, work).flatten()
    }

    /// Puts the order into the book, or a newer one in its place.
    async fn post(&self, now: Timestamp, lifetime: Duration) -> Result<(), RunError> {
        let node = &self.buyer.node;
        let Some(record) = self.record() else {
            return Ok(());
        };
        let (Some(bid), Some(slot)) = (record.open_bid(), self.machine(|bid| bid.slot)) else {
            return Ok(());
        };
        let need = need::of_run(&record, &record.job, node);
        let height = node.clock.height().unwrap_or(0);
        let body = standing::body(&bid, &need, node.identity.account, height);
        let posted = node.book.post(slot, body, lifetime).await;
        let order = match posted {
            Ok(order) => order,
            // An order that an earlier run of this node has signed may be about to arrive; it is overtaken then.
            Err(PostError::Book(BookError::NoTime) | PostError::Refused(Refused::Superseded)) => {
                self.machine(|bid| bid.machine.not_posted(now));
                return Ok(());
            }
            Err(PostError::Book(BookError::Stopped)) => {
                self.rest();
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let expires_at = now.saturating_add(lifetime);
        let before = self.machine(|bid| {
            let before = bid.machine.order();
            bid.machine.posted(order, expires_at);
            before
        });
        if before == Some(None) {
            self.log.tell(RunEvent::Standing {
                order,
                class: bid.class,
                max_price: bid.max_price,
                until: bid.until,
            });
        }
        Ok(())
    }

    /// Looks into the book, and reserves what fits. The operator is asked only where something does.
    async fn look(&self, search: &mut Search) -> Result<Option<Ended>, RunError> {
        let quote = self.glance(search).await?;
        let misfits = Some(quote.rejections.to_string());
        let is_full = search.sent_count() >= MAX_SENT;
        if is_full || search.is_left_alone(&quote) {
            let found = match quote.offers.is_empty() {
                true => self.nothing_fits(search),
                false => Found::Unavailable,
            };
            if is_full && let Some(ended) = self.look_at_sent(search).await? {
                return Ok(Some(ended));
            }
            self.looked(found, misfits);
            return Ok(None);
        }
        if self.machine(|bid| bid.machine.reserve()) != Some(true) {
            return Ok(None);
        }
        let error = match self.seek_once(search).await {
            Ok(ended) => return Ok(Some(ended)),
            Err(error @ RunError::Revoked(_)) => return Err(error),
            Err(error) if self.has_bought() => return Err(error),
            Err(error) => error,
        };
        if search.is_news(&error) {
            self.tell_wait(format!("{error}; the bid goes on waiting"));
        }
        self.looked(Found::Unavailable, misfits);
        Ok(None)
    }

    /// Forgets what was the matter with offers that are not there any more.
    fn nothing_fits(&self, search: &mut Search) -> Found {
        if search.has_told() {
            let runs = &self.buyer.runs;
            runs.change(self.run, |live| live.record.note = None);
        }
        Found::Nothing
    }

    /// Ranks the offers that this node knows, without asking anybody: among equals the lot decides later. Sees also
    /// whether the own order still stands.
    async fn glance(&self, search: &Search) -> Result<Quote, RunError> {
        let need = need::of_run(&search.record, &search.job, &self.buyer.node);
        let order = self.machine(|bid| bid.machine.order()).flatten();
        let no_lot = HeaderId::from_bytes([0; 32]);
        let read = self.buyer.node.book.read(move |book, now| {
            let stands = order.is_none_or(|order| book.has_bid(order, now));
            (stands, matching::quote(book, &need, &no_lot, now))
        });
        let (stands, quote) = match read.await {
            Ok(read) => read,
            Err(BookError::NoTime) => return Ok(Quote::default()),
            Err(BookError::Stopped) => {
                self.rest();
                return Ok(Quote::default());
            }
        };
        if !stands {
            self.machine(|bid| bid.machine.fell_out());
        }
        Ok(quote)
    }

    /// Leaves the bid alone: the node stops, and its next start goes on with it.
    fn rest(&self) {
        self.machine(|bid| bid.machine.halt());
    }

    fn looked(&self, found: Found, misfits: Option<String>) {
        let now = self.buyer.node.clock.now();
        let now = now.unwrap_or(Timestamp::from_millis(0));
        self.machine(|bid| bid.machine.looked(found, misfits, now));
    }

    /// Takes the order out of the book and frees its slot. Offers find no bid from the first moment on.
    async fn leave_book(&self) {
        let left = self.machine(|bid| {
            bid.machine.halt();
            (bid.slot, bid.machine.order())
        });
        if let Some((slot, Some(_))) = left
            && let Err(error) = self.buyer.node.book.cancel(slot).await
        {
            tracing::warn!(%error, run = %self.run, "the order of a bid stays until it lapses");
        }
        let runs = &self.buyer.runs;
        runs.change(self.run, |live| live.standing = None);
    }

    /// Says that the time is over: what was bid, and why what there was did not fit.
    fn unsold(&self) -> RunError {
        let Some(bid) = self.record().and_then(|record| record.bid) else {
            return RunError::NoOffer("the bid is gone".to_owned());
        };
        let misfits = self.machine(|bid| bid.machine.misfits()).flatten();
        let misfits = misfits.unwrap_or_else(|| "no offers were seen".to_owned());
        RunError::Unsold {
            max_price: bid.max_price,
            misfits,
        }
    }

    /// Ends a bid that nobody filled. The run stays listed, with what was the matter.
    pub(super) async fn end_bid(&self, end: BidEnd, event: RunEvent) {
        let runs = &self.buyer.runs;
        runs.change(self.run, |live| {
            live.record.outcome = Some(market::receipt::Outcome::Cancelled);
            live.record.note = reason(&event);
            if let Some(bid) = &mut live.record.bid {
                bid.end = Some(end);
            }
        });
        self.keep().await;
        self.log.tell(event);
        self.log.close();
        runs.forget_settled(self.run).await;
    }
}

impl Standing {
    /// Shows what the book has of the bid.
    pub(crate) fn in_book(&self) -> InBook {
        InBook {
            order: self.machine.order(),
            is_filling: self.machine.is_filling(),
            misfits: self.machine.misfits(),
        }
    }
}

fn reason(event: &RunEvent) -> Option<String> {
    match event {
        RunEvent::NothingFits { summary } => Some(summary.clone()),
        RunEvent::Failed { reason } => Some(reason.clone()),
        _ => None,
    }
}
