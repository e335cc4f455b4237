//! Owns the buyer: what a node that buys can be asked for.
//!
//! Never lets a quote or a purchase go ahead on money or offers that are not there.

mod error;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::job::JobSpec;
use market::{Amount, BlobHash, HeaderId, OrderId, Timestamp};
use market_node::api::{
    ArtefactView, BidRequest, BidView, JobView, QuoteView, RunEvent, RunId, RunRequest, RunView,
};
use market_node::book::BookError;
use market_node::identity::fresh_nonce;
use market_node::lease::OfferRequest;
use market_node::node::Node;
use market_node::store::StoreError;
use matching::{Need, Quote};
use tokio::sync::mpsc;

pub use error::RunError;

use crate::events::{EventLog, Reader};
use crate::fetch::{self, FilesError};
use crate::inputs::{self, Brought, Resolved};
use crate::job_file::{JobFile, Source};
use crate::record::RunRecord;
use crate::run::{self, LeftOpen, Run, Wish};
use crate::runs::{Live, Runs};
use crate::{need, opinion, reserve, standing};

/// How long a fresh node waits for the book and protocol time before it says that there is no offer.
const SETTLE: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const SETTLE_STEP: Duration = Duration::from_millis(100);

/// Buys jobs for this node. Cheap to clone.
#[derive(Clone)]
pub struct Buyer {
    pub(crate) node: Node,
    pub(crate) runs: Runs,
}

impl std::fmt::Debug for Buyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buyer")
            .field("node", &self.node.identity.node())
            .finish_non_exhaustive()
    }
}

/// A job that was read and whose inputs are stored.
pub(crate) struct Prepared {
    pub(crate) file: JobFile,
    pub(crate) job: JobSpec,
    /// Where each input came from.
    pub(crate) sources: Vec<Source>,
}

impl Buyer {
    /// Makes the buyer of a node.
    pub fn new(node: Node) -> Self {
        let runs = Runs::new(node.clone());
        Self { node, runs }
    }

    /// Takes up what an earlier run of this node left open. Runs that are not over go on; what cannot go on is
    /// closed, and the oldest of those that are over are forgotten.
    pub fn resume(&self, left: LeftOpen) {
        run::resume(self, left);
        let buyer = self.clone();
        tokio::spawn(async move {
            buyer.rate_sellers().await;
            buyer.runs.prune().await;
        });
    }

    /// Tells the book what this node thinks of the sellers that it has dealt with.
    pub(crate) async fn rate_sellers(&self) {
        match self.runs.records() {
            Ok(records) => {
                let opinions = opinion::of(&records, self.node.identity.account);
                self.node.book.rate(opinions).await;
            }
            Err(error) => tracing::warn!(%error, "earlier deals do not rank offers"),
        }
    }

    /// Returns the files in this node's blob store that runs need which are not over.
    ///
    /// # Errors
    /// The store fails.
    pub fn needed_blobs(&self) -> Result<BTreeSet<BlobHash>, StoreError> {
        let records = self.runs.records()?;
        Ok(records.iter().flat_map(RunRecord::needed_blobs).collect())
    }

    /// Returns all runs that bought something, the newest first.
    pub fn jobs(&self) -> Result<Vec<JobView>, StoreError> {
        self.runs.list()
    }

    /// Returns the bids of this node, the newest first: those that stand, and those that ended unfilled.
    ///
    /// # Errors
    /// The store fails.
    pub fn standing_bids(&self) -> Result<Vec<BidView>, StoreError> {
        self.runs.bids()
    }

    /// Asks for the end of the bid that stands in the book as `order`. `None` where no bid of this node does.
    ///
    /// # Errors
    /// The store fails.
    pub async fn cancel_bid(&self, order: OrderId) -> Result<Option<RunView>, StoreError> {
        match self.runs.bidder(order) {
            Some((run, _)) => self.cancel(run).await,
            None => Ok(None),
        }
    }

    /// Answers the offers that providers make to this node's bids, until `offers` ends.
    pub fn answer_offers(&self, offers: mpsc::Receiver<OfferRequest>) {
        tokio::spawn(standing::serve(self.clone(), offers));
    }

    /// Asks for the end of a run, at whatever point it is; one that is over stays as it is. `None` for one that
    /// has bought nothing and bids for nothing; where an agreement is on its way all the same, it is ended when it
    /// opens. The wish is on disk when this returns.
    ///
    /// # Errors
    /// The store fails.
    pub async fn cancel(&self, run: RunId) -> Result<Option<RunView>, StoreError> {
        let want_no_more = |live: &mut Live| {
            live.record.is_cancelled = live.record.is_cancelled || live.record.outcome.is_none();
            live.cancel.send_replace(true);
        };
        // In the order in which a run goes from the one to the other, so that none is missed.
        self.runs.stop_preparing(run);
        if self.runs.change(run, want_no_more).is_some() {
            self.runs.keep(run).await?;
        }
        self.runs.view(run)
    }

    /// Brings a run's delivered files to a folder.
    ///
    /// # Errors
    /// Nothing was delivered, files are gone, or the folder cannot be written.
    pub async fn fetch(
        &self,
        run: RunId,
        folder: PathBuf,
    ) -> Result<Vec<ArtefactView>, FilesError> {
        fetch::fetch(&self.node, &self.runs, (run, folder)).await
    }

    /// Lets no bid trade any more, and notes on disk where every run stands, so that the next start goes on with them.
    /// Nothing is cancelled.
    pub async fn stop(&self) {
        let runs = self.runs.all_live();
        for run in &runs {
            self.runs.change(*run, |live| {
                if let Some(bid) = &mut live.standing {
                    bid.machine.halt();
                }
            });
        }
        for run in runs {
            if let Err(error) = self.runs.keep(run).await {
                tracing::error!(%error, %run, "where a run stands could not be noted");
            }
        }
    }

    /// Ranks the offers for a job file.
    pub async fn quote(&self, job_file: PathBuf) -> Result<QuoteView, RunError> {
        let prepared = self.prepare(&job_file, &inputs::brought().0).await?;
        let budget = &prepared.file.budget;
        let need = need::of(&prepared.job, budget, prepared.file.needs, &self.node);
        let quote = self.settled_quote(need).await?;
        let best = quote.offers.first();
        let terms =
            best.and_then(|offer| reserve::terms(&self.node, offer, &prepared.job, budget, 0).ok());
        let total = budget.total.unwrap_or(Amount::ZERO);
        let deposit = terms.map_or(total, |terms| terms.deposit);
        let id = prepared.job.id(&self.node.chain());
        Ok(need::view(&quote, id, deposit, &self.node))
    }

    /// Buys a job and returns its events; the first one names the run, the last one is `Finished`, `NothingFits`
    /// or `Failed`. Once it is accepted, the job goes on when the reader is dropped.
    pub(crate) fn run(&self, request: RunRequest) -> Reader {
        self.begin(request.into())
    }

    /// Bids for a job and returns its events, as [`Self::run`] does. Once the bid stands, it goes on when the reader
    /// is dropped.
    pub(crate) fn bid(&self, request: BidRequest) -> Reader {
        self.begin(request.into())
    }

    fn begin(&self, wish: Wish) -> Reader {
        let at = Instant::now();
        let log = EventLog::new();
        let reader = log.reader(0);
        match fresh_nonce() {
            Ok(nonce) => {
                let run = RunId::from_bytes(nonce.to_be_bytes());
                let cancel = self.runs.prepare(run);
                log.tell(RunEvent::Requested { run });
                let begun = Run::begin(self.clone(), wish, (run, log, cancel), at);
                tokio::spawn(async move {
                    if let Some(run) = begun.await {
                        Box::pin(run.work(None)).await;
                    }
                });
            }
            Err(error) => {
                log.tell(run::failed(error.into()));
                log.close();
            }
        }
        reader
    }

    /// Reads a job file and brings its inputs in; whoever may leave before the end hears which came.
    pub(crate) async fn prepare(
        &self,
        job_file: &std::path::Path,
        brought: &Brought,
    ) -> Result<Prepared, RunError> {
        let file = JobFile::read(job_file)?;
        let scratch = self.node.home.folder("work")?;
        let resolved = inputs::resolve(&file, &self.node.blobs, &scratch, brought);
        let Resolved { job, sources } = resolved.await?;
        Ok(Prepared { file, job, sources })
    }

    /// Checks the inputs of a job that is to be offered once more; see [`inputs::check`].
    pub(crate) async fn check_inputs(
        &self,
        job: &JobSpec,
        sources: &[Source],
    ) -> Result<Vec<String>, RunError> {
        let scratch = self.node.home.folder("work")?;
        Ok(inputs::check((&job.inputs, sources), &self.node.blobs, &scratch).await?)
    }

    /// Checks that the account can lock a deposit and pay the fee for opening, as the ledger will.
    pub(crate) async fn check_money(&self, deposit: Amount) -> Result<(), RunError> {
        check_balance(self.available().await?, deposit, self.money_rules())
    }

    /// Returns what a later attempt may lock of the `wanted` that is left of its budget, where the rest of the
    /// job is expected to cost `expected`.
    pub(crate) async fn lockable(
        &self,
        wanted: Amount,
        expected: Amount,
    ) -> Result<Amount, RunError> {
        let available = self.available().await?;
        lockable(available, (wanted, expected), self.money_rules())
    }

    /// Checks that the account still lets this node open agreements for it.
    pub(crate) async fn check_standing(&self) -> Result<(), RunError> {
        let revoked = self.node.standing.ask().await;
        match revoked.map_err(RunError::operator)? {
            Some(revoked) => Err(revoked.into()),
            None => Ok(()),
        }
    }

    async fn available(&self) -> Result<Amount, RunError> {
        let account = self.node.ledger.account(self.node.identity.account).await;
        Ok(account.map_err(RunError::operator)?.available)
    }

    /// Returns the fee for opening, and the least that an account may hold.
    fn money_rules(&self) -> (Amount, Amount) {
        let genesis = &self.node.membership.genesis;
        (genesis.fees.open, genesis.minimum_balance)
    }

    /// Returns protocol time; a node that has just started waits a moment for it.
    pub(crate) async fn protocol_time(&self) -> Result<Timestamp, RunError> {
        let patience = Instant::now() + SETTLE;
        loop {
            match self.node.clock.now() {
                Some(now) => return Ok(now),
                None if Instant::now() >= patience => return Err(BookError::NoTime.into()),
                None => tokio::time::sleep(SETTLE_STEP).await,
            }
        }
    }

    /// Ranks the offers; a node that has just started gives its book a moment to arrive.
    pub(crate) async fn settled_quote(&self, need: Need) -> Result<Quote, RunError> {
        let patience = Instant::now() + SETTLE;
        loop {
            let quote = match self.node.clock.now() {
                Some(_) => {
                    let header = self.draw_header().await?;
                    Some(self.node.book.quote(need.clone(), header).await?)
                }
                None => None,
            };
            match quote {
                Some(quote) if !quote.offers.is_empty() => return Ok(quote),
                Some(quote) if quote.rejections.considered() > 0 => return Ok(quote),
                Some(quote) if Instant::now() >= patience => return Ok(quote),
                None if Instant::now() >= patience => return Err(BookError::NoTime.into()),
                _ => tokio::time::sleep(SETTLE_STEP).await,
            }
        }
    }

    /// Returns the id of the header at the last height that is a multiple of 60, which draws lots among equals.
    async fn draw_header(&self) -> Result<HeaderId, RunError> {
        self.node.draw_header().await.map_err(RunError::operator)
    }
}

fn check_balance(
    available: Amount,
    deposit: Amount,
    (fee, minimum): (Amount, Amount),
) -> Result<(), RunError> {
    let needed = deposit
        .checked_add(fee)
        .unwrap_or(market::amount::SUPPLY_CAP);
    let Some(rest) = available.checked_sub(needed) else {
        let missing = needed.checked_sub(available).unwrap_or(needed);
        return Err(RunError::Money {
            missing,
            needed,
            available,
        });
    };
    if rest != Amount::ZERO && rest < minimum {
        return Err(RunError::Dust {
            needed,
            available,
            rest,
            minimum,
        });
    }
    Ok(())
}

/// Returns how much of `wanted` can be locked now: all of it, or what the account has if that is twice what the
/// rest of the job is expected to cost, so that a wrong expectation does not end the attempt half-way.
fn lockable(
    available: Amount,
    (wanted, expected): (Amount, Amount),
    (fee, minimum): (Amount, Amount),
) -> Result<Amount, RunError> {
    if check_balance(available, wanted, (fee, minimum)).is_ok() {
        return Ok(wanted);
    }
    let twice = expected.checked_add(expected).unwrap_or(wanted);
    let least = twice.min(wanted);
    let add = |amount: Amount, more| {
        amount
            .checked_add(more)
            .unwrap_or(market::amount::SUPPLY_CAP)
    };
    // What stays behind is at least what an account must hold.
    let kept = add(fee, minimum);
    match available.checked_sub(kept) {
        Some(spare) if spare >= least => Ok(spare.min(wanted)),
        _ => {
            let needed = add(least, fee);
            let missing = add(least, kept).checked_sub(available);
            Err(RunError::MoneyToGoOn {
                missing: missing.unwrap_or(Amount::ZERO),
                needed,
                available,
            })
        }
    }
}

#[cfg(test)]
mod tests;
