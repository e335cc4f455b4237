//! Owns buying one job from the job file to the running lease.
//!
//! Never tries an offer that does not fit, and never holds two agreements for one request.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::agreement::Terms;
use market::job::JobSpec;
use market::lease::{Input, Lease, Phase, Role};
use market::{AgreementId, Amount, HeaderId, NodeId, Timestamp};
use market_node::api::{JobView, QuoteView, RunEvent, RunId, RunRequest};
use market_node::book::BookError;
use market_node::home::HomeError;
use market_node::identity::{IdentityError, fresh_nonce};
use market_node::ledger::client::LedgerError;
use market_node::node::Node;
use market_node::store::StoreError;
use matching::{Offer, Quote};
use tokio::sync::mpsc;

use crate::inputs::{self, InputError};
use crate::job_file::{JobFile, JobFileError};
use crate::jobs::Jobs;
use crate::lease::{Announced, Feed, LeaseShell};
use crate::reserve::{Opening, ReserveError};
use crate::{need, reserve};

/// Events of a run that wait for its reader.
const EVENTS: usize = 256;

/// Batches of reports that wait for one job.
const REPORTS: usize = 16;

/// How long a fresh node waits for the book and protocol time before it says that there is no offer.
const SETTLE: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const SETTLE_STEP: Duration = Duration::from_millis(100);

/// How long a buyer whom all offers failed waits for those whose answer was lost, and how often it looks.
const LAST_LOOK: Duration = Duration::from_secs(30);
const LAST_LOOK_STEP: Duration = Duration::from_secs(1);

/// Why a job could not be bought.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The job file is wrong.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// An input is missing or wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The book cannot be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The ledger cannot be asked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No entropy.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing fits.
    #[error("no offer fits this job: {0}")]
    NoOffer(String),
    /// Not enough money.
    #[error(
        "this job locks {needed} and the account can spend {available}; lower budget.total in the job \
         file, or ask the operator for credits (`nightshift wallet address` shows where to)"
    )]
    Money {
        /// What would be locked, with the fee for opening.
        needed: Amount,
        /// What can be spent.
        available: Amount,
    },
    /// Too little would be left.
    #[error(
        "this job locks {needed}, which would leave {rest} of {available}; an account holds nothing or at \
         least {minimum}. Change budget.total in the job file"
    )]
    Dust {
        /// What would be locked, with the fee for opening.
        needed: Amount,
        /// What can be spent.
        available: Amount,
        /// What would be left.
        rest: Amount,
        /// The least that an account may hold.
        minimum: Amount,
    },
    /// All that fit fell through.
    #[error("none of the {tried} fitting offers could be reserved; the last said: {last}")]
    AllRefused {
        /// How many were tried.
        tried: usize,
        /// The last reason.
        last: String,
    },
}

/// Buys jobs for this node. Cheap to clone.
#[derive(Clone)]
pub struct Buyer {
    node: Node,
    jobs: Jobs,
}

impl std::fmt::Debug for Buyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buyer")
            .field("node", &self.node.identity.node())
            .finish_non_exhaustive()
    }
}

/// A job that was read and whose inputs are stored.
struct Prepared {
    file: JobFile,
    job: JobSpec,
}

impl Buyer {
    /// Makes the buyer of a node.
    pub fn new(node: Node) -> Self {
        let jobs = Jobs::new(node.store.clone());
        Self { node, jobs }
    }

    /// Returns all jobs, the newest first.
    pub fn jobs(&self) -> Result<Vec<JobView>, StoreError> {
        self.jobs.list()
    }

    /// Stops a running job; `None` when no such job runs.
    pub async fn cancel(&self, agreement: AgreementId) -> Option<JobView> {
        self.jobs.lease(agreement)?.input(Input::Cancel).await;
        self.jobs.running(agreement)
    }

    /// Stops all running jobs and waits until each is settled and noted as over. It may be dropped at any time.
    pub async fn stop(&self) {
        for lease in self.jobs.leases() {
            lease.input(Input::Cancel).await;
        }
        while !self.jobs.leases().is_empty() {
            tokio::time::sleep(SETTLE_STEP).await;
        }
    }

    /// Ranks the offers for a job file.
    pub async fn quote(&self, job_file: PathBuf) -> Result<QuoteView, RunError> {
        let prepared = self.prepare(&job_file).await?;
        let quote = self.settled_quote(&prepared).await?;
        let deposit = self.deposit(&prepared, quote.offers.first());
        let id = prepared.job.id(&self.node.chain());
        Ok(need::view(&quote, id, deposit, &self.node))
    }

    /// Buys a job and returns its events; the last one is `Finished`, `NothingFits` or `Failed`. The job goes
    /// on when the receiver is dropped.
    pub fn run(&self, request: RunRequest) -> mpsc::Receiver<RunEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let buyer = self.clone();
        tokio::spawn(async move {
            if let Err(error) = buyer.buy(request, events.clone()).await {
                let event = match error {
                    RunError::NoOffer(summary) => RunEvent::NothingFits { summary },
                    error => RunEvent::Failed {
                        reason: error.to_string(),
                    },
                };
                let _nobody_listens = events.send(event).await;
            }
        });
        receiver
    }

    async fn prepare(&self, job_file: &std::path::Path) -> Result<Prepared, RunError> {
        let file = JobFile::read(job_file)?;
        let scratch = self.node.home.folder("work")?;
        let job = inputs::resolve(&file, &self.node.blobs, &scratch).await?;
        Ok(Prepared { file, job })
    }

    async fn buy(
        &self,
        request: RunRequest,
        events: mpsc::Sender<RunEvent>,
    ) -> Result<(), RunError> {
        let accepted_at = Instant::now();
        let prepared = self.prepare(&request.job_file).await?;
        let job = prepared.job.id(&self.node.chain());
        let run = RunId::from_bytes(fresh_nonce()?.to_be_bytes());
        let _nobody_listens = events.send(RunEvent::Accepted { run, job }).await;
        let quote = self.settled_quote(&prepared).await?;
        let Some(best) = quote.offers.first() else {
            return Err(RunError::NoOffer(quote.rejections.to_string()));
        };
        self.check_money(self.deposit(&prepared, Some(best)))
            .await?;
        let run = Run {
            buyer: self,
            prepared: &prepared,
            request: &request,
            events: &events,
            accepted_at,
            run,
        };
        run.reserve_one(&quote).await
    }

    fn deposit(&self, prepared: &Prepared, offer: Option<&Offer>) -> Amount {
        let terms = offer.and_then(|offer| {
            reserve::terms(&self.node, offer, &prepared.job, &prepared.file.budget, 0).ok()
        });
        let budget = prepared.file.budget.total.unwrap_or(Amount::ZERO);
        terms.map_or(budget, |terms| terms.deposit)
    }

    /// Checks that the account can lock a deposit and pay the fee for opening, as the ledger will.
    async fn check_money(&self, deposit: Amount) -> Result<(), RunError> {
        let node = &self.node;
        let genesis = &node.membership.genesis;
        let available = node.ledger.account(node.identity.account).await?.available;
        check_balance(
            available,
            deposit,
            (genesis.fees.open, genesis.minimum_balance),
        )
    }

    /// Ranks the offers; a node that has just started gives its book a moment to arrive.
    async fn settled_quote(&self, prepared: &Prepared) -> Result<Quote, RunError> {
        let budget = &prepared.file.budget;
        let need = need::of(&prepared.job, budget, self.node.identity.account);
        let patience = Instant::now() + SETTLE;
        loop {
            let quote = match self.node.clock.now() {
                Some(_) => Some(
                    self.node
                        .book
                        .quote(need.clone(), self.draw_header().await?)
                        .await?,
                ),
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
        let height = self.node.clock.height().unwrap_or(0);
        let header = self.node.ledger.header(height - height % 60).await?;
        Ok(header.map_or(HeaderId::from_bytes([0; 32]), |certified| {
            certified.header.id()
        }))
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
        return Err(RunError::Money { needed, available });
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

/// One request on its way to an agreement.
struct Run<'a> {
    buyer: &'a Buyer,
    prepared: &'a Prepared,
    request: &'a RunRequest,
    events: &'a mpsc::Sender<RunEvent>,
    accepted_at: Instant,
    run: RunId,
}

impl Run<'_> {
    async fn tell(&self, event: RunEvent) {
        let _nobody_listens = self.events.send(event).await;
    }

    /// Tries the offers in order until one is open.
    async fn reserve_one(&self, quote: &Quote) -> Result<(), RunError> {
        let payer_nonce = fresh_nonce()?;
        let mut last = String::new();
        let mut doubtful = Vec::new();
        for offer in &quote.offers {
            self.tell(RunEvent::Chosen {
                offer: Box::new(need::offer_view(offer, &self.buyer.node)),
                summary: quote.rejections.to_string(),
            })
            .await;
            match self.attempt(offer, payer_nonce, &mut doubtful).await {
                Ok((opening, at)) => {
                    // They carry the nonce that is used now, so they open nothing any more.
                    for opening in doubtful {
                        opening.forget().await;
                    }
                    return self.begin(opening, at).await;
                }
                Err(error) => {
                    last = error.to_string();
                    let reason = last.clone();
                    let node = offer.register.node;
                    self.tell(RunEvent::Refused { node, reason }).await;
                }
            }
        }
        if let Some((opening, at)) = look_again(doubtful).await {
            return self.begin(opening, at).await;
        }
        let tried = quote.offers.len();
        Err(RunError::AllRefused { tried, last })
    }

    /// Tries one offer. An opening that may yet be final goes to the `doubtful` ones.
    async fn attempt(
        &self,
        offer: &Offer,
        payer_nonce: u64,
        doubtful: &mut Vec<Opening>,
    ) -> Result<(Opening, Timestamp), ReserveError> {
        let (node, job) = (&self.buyer.node, &self.prepared.job);
        let budget = &self.prepared.file.budget;
        let terms = reserve::terms(node, offer, job, budget, payer_nonce)?;
        let provider = terms.payee.node;
        self.share_inputs(provider);
        let opening = Opening::sign(node, terms).await?;
        let error = match opening.reserve(job).await {
            Ok(at) => return Ok((opening, at)),
            Err(error) => error,
        };
        for input in &job.inputs {
            node.permissions.unshare(input.hash, provider);
        }
        if error.may_have_opened() {
            doubtful.push(opening);
        } else {
            opening.forget().await;
        }
        Err(error)
    }

    fn share_inputs(&self, provider: NodeId) {
        for input in &self.prepared.job.inputs {
            self.buyer.node.permissions.share(input.hash, provider);
        }
    }

    /// Starts the lease of a channel that is open since `at`.
    async fn begin(&self, opening: Opening, at: Timestamp) -> Result<(), RunError> {
        let node = &self.buyer.node;
        let chain = node.chain();
        let terms = opening.terms().clone();
        let (agreement, channel) = (terms.id(&chain), terms.channel_id(&chain));
        let view = self.job_view(&terms);
        let provider = terms.payee.node;
        self.share_inputs(provider);
        let now = node.clock.now().unwrap_or(at);
        let key = node.identity.node_key.clone();
        let machine =
            Lease::new(Role::Payer, terms, chain, key, now).with_timing(node.lease_timing());
        let (reports_in, reports) = mpsc::channel(REPORTS);
        let parts = node.lease_parts();
        let (lease, effects) =
            market_node::lease::spawn(parts, machine, Role::Payer, Some(reports_in)).await;
        lease.input(Input::Opened { at }).await;
        let deposit = view.deposit;
        self.buyer.jobs.begin(view, lease.clone()).await?;
        opening.forget().await;
        let mut feed = Feed::new(self.events.clone());
        feed.tell(RunEvent::Opened {
            agreement,
            channel,
            deposit,
        });
        let job = &self.prepared.job;
        let shell = LeaseShell {
            node: node.clone(),
            jobs: self.buyer.jobs.clone(),
            provider,
            agreement,
            channel,
            inputs: job.inputs.iter().map(|input| input.hash).collect(),
            output: self.request.output.clone(),
            announced: Announced::new(job.limits.output_bytes),
            lease,
            feed,
            accepted_at: self.accepted_at,
        };
        tokio::spawn(shell.run(effects, reports));
        Ok(())
    }

    fn job_view(&self, terms: &Terms) -> JobView {
        let node = &self.buyer.node;
        let chain = node.chain();
        JobView {
            run: self.run,
            attempts: 1,
            job: terms.job,
            agreement: terms.id(&chain),
            channel: terms.channel_id(&chain),
            kind: self.prepared.file.kind().to_owned(),
            provider: terms.payee.node,
            class: terms.class,
            price_per_hour: terms.rates.price_per_hour,
            phase: Phase::Opening,
            outcome: None,
            deposit: terms.deposit,
            paid: Amount::ZERO,
            refunded: None,
            pending_refund: None,
            meter: market::agreement::Meter::default(),
            progress: None,
            output: self.request.output.clone(),
            receipt: false,
            started_at: node.clock.now().unwrap_or(Timestamp::from_millis(0)),
            note: None,
        }
    }
}

/// Looks for a while whether one of the openings without an answer is final after all; then leaves them to be
/// watched until they can open nothing.
async fn look_again(mut doubtful: Vec<Opening>) -> Option<(Opening, Timestamp)> {
    let patience = Instant::now() + LAST_LOOK;
    let mut found = None;
    while found.is_none() && !doubtful.is_empty() {
        // Asked before the look: an opening that has lapsed and is not there then never will be.
        let waiting = Instant::now() < patience && doubtful.iter().any(Opening::can_open);
        for (position, opening) in doubtful.iter().enumerate() {
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
    let found = found.map(|(position, at)| (doubtful.swap_remove(position), at));
    doubtful.into_iter().for_each(Opening::watch);
    found
}

#[cfg(test)]
mod tests;
