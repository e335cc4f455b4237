//! Owns the beginning of a run: from the request to a record that is live, and for a bid on disk.
//!
//! Never begins what could not be paid for: the money for a bid is checked before it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::agreement::Rates;
use market::gpu::GpuClass;
use market::{BlobHash, HeaderId, PricePerHour, Timestamp};
use market_node::api::{BidRequest, MAX_BID_S, RunEvent, RunId, RunRequest};
use matching::Need;
use tokio::sync::{mpsc, watch};

use super::{Run, failed, unbought, wanted};
use crate::buyer::{Buyer, Prepared, RunError};
use crate::events::EventLog;
use crate::inputs::{self, Brought};
use crate::lease::Began;
use crate::need;
use crate::record::{BidRecord, RunRecord};
use crate::runs::{Live, Runs};
use crate::standing::{self, Machine};

/// What a person asks for.
#[derive(Debug)]
pub(crate) struct Wish {
    job_file: PathBuf,
    output: PathBuf,
    bid: Option<BidWish>,
}

/// On which terms a person waits for an offer.
#[derive(Debug, Clone, Copy)]
struct BidWish {
    max_price: PricePerHour,
    stands_s: u32,
    class: Option<GpuClass>,
}

impl From<RunRequest> for Wish {
    fn from(request: RunRequest) -> Self {
        Self {
            job_file: request.job_file,
            output: request.output,
            bid: None,
        }
    }
}

impl From<BidRequest> for Wish {
    fn from(request: BidRequest) -> Self {
        Self {
            job_file: request.job_file,
            output: request.output,
            bid: Some(BidWish {
                max_price: request.max_price,
                stands_s: request.stands_s,
                class: request.class,
            }),
        }
    }
}

impl Run {
    /// Takes a request up: the run is live when the job file was read and its inputs are stored. `None` where that
    /// failed, or nobody wants it any more, which its events say.
    pub(crate) async fn begin(
        buyer: Buyer,
        wish: Wish,
        (run, log, cancel): (RunId, EventLog, watch::Sender<bool>),
        at: Instant,
    ) -> Option<Self> {
        let mut cancelled = cancel.subscribe();
        let (brought, blobs) = inputs::brought();
        let prepared = tokio::select! {
            prepared = prepare(&buyer, &wish, &brought) => prepared.map_err(failed),
            () = wanted(&mut cancelled) => Err(unbought()),
            () = log.unread() => Err(unbought()),
        };
        drop(brought);
        let begun = match prepared {
            Ok((prepared, bid)) => {
                let record = RunRecord {
                    bid,
                    ..begun(&buyer, run, prepared, wish.output)
                };
                let log = (log.clone(), cancel);
                Self::live(buyer.clone(), record, log, at).await
            }
            Err(event) => Err(event),
        };
        buyer.runs.prepared(run);
        begun
            .map_err(|event| {
                log.tell(event);
                log.close();
                // What is still being read into the store ends first.
                tokio::spawn(remove_unwanted(buyer.runs, blobs));
            })
            .ok()
    }

    /// Makes a run live. One that bids is on disk before it says so.
    async fn live(
        buyer: Buyer,
        record: RunRecord,
        (log, cancel): (EventLog, watch::Sender<bool>),
        at: Instant,
    ) -> Result<Self, RunEvent> {
        let (run, job) = (record.run, record.job.id(&buyer.node.chain()));
        let cancelled = cancel.subscribe();
        let blobs = record.job.inputs.iter().map(|input| input.hash).collect();
        let bid = record.bid;
        let live = Live {
            record,
            log: log.clone(),
            cancel,
            is_kept: bid.is_some(),
            leases: BTreeMap::new(),
            blobs,
            standing: None,
        };
        let runs = buyer.runs.clone();
        let begun = Self {
            buyer,
            run,
            log,
            cancelled,
            began: Began {
                before: Duration::ZERO,
                at,
            },
        };
        match bid {
            None => runs.begin(live),
            Some(bid) => {
                let taken_in = runs.begin_bid(live, Machine::new(bid.until));
                taken_in.ok_or_else(|| failed(RunError::NoSlot))?;
                begun.keep_events();
                if let Err(error) = runs.keep(run).await {
                    runs.forget(run).await;
                    return Err(failed(error.into()));
                }
            }
        }
        begun.log.tell(RunEvent::Accepted { run, job });
        Ok(begun)
    }
}

/// Takes blobs out of the store that were brought in for a run that does not begin.
async fn remove_unwanted(runs: Runs, mut blobs: mpsc::Receiver<BlobHash>) {
    let mut unwanted = BTreeSet::new();
    while let Some(hash) = blobs.recv().await {
        unwanted.insert(hash);
    }
    runs.remove_blobs(unwanted).await;
}

/// Reads the job and brings its inputs in; for a bid, also makes out what stands in the book.
async fn prepare(
    buyer: &Buyer,
    wish: &Wish,
    brought: &Brought,
) -> Result<(Prepared, Option<BidRecord>), RunError> {
    let mut prepared = buyer.prepare(&wish.job_file, brought).await?;
    let bid = match wish.bid {
        None => None,
        Some(bid) => Some(bid_record(buyer, &mut prepared, bid).await?),
    };
    Ok((prepared, bid))
}

/// Makes a bid, and checks the money for it as a purchase does.
async fn bid_record(
    buyer: &Buyer,
    prepared: &mut Prepared,
    wish: BidWish,
) -> Result<BidRecord, RunError> {
    let stands_s = wish.stands_s;
    if !(1..=MAX_BID_S).contains(&stands_s) {
        return Err(RunError::BidTime { stands_s });
    }
    let budget = &mut prepared.file.budget;
    let of_file = budget.max_price.unwrap_or(wish.max_price);
    let max_price = of_file.min(wish.max_price);
    budget.max_price = Some(max_price);
    let now = buyer.protocol_time().await?;
    buyer.check_standing().await?;
    let rates = Rates {
        price_per_hour: max_price,
        gpus: 1,
        hold_bps: 0,
        tick_ms: 1_000,
        prepaid_ticks: 1,
        delivery_ticks: 1,
    };
    let deposit = need::deposit(&prepared.job, &prepared.file.budget, &rates);
    let deposit = deposit.ok_or(RunError::BidCost)?;
    buyer.check_money(deposit).await?;
    let class = match wish.class {
        Some(class) => class,
        None => least_class(buyer, prepared).await?,
    };
    Ok(BidRecord {
        class,
        wanted: wish.class,
        max_price,
        deposit,
        until: now.saturating_add(Duration::from_secs(stands_s.into())),
        end: None,
    })
}

/// Derives the class to bid for: of the kind that is offered for the job now, at whatever price.
async fn least_class(buyer: &Buyer, prepared: &Prepared) -> Result<GpuClass, RunError> {
    let need = Need {
        max_price: None,
        budget: None,
        ..need::of(
            &prepared.job,
            &prepared.file.budget,
            prepared.file.needs,
            &buyer.node,
        )
    };
    let no_lot = HeaderId::from_bytes([0; 32]);
    let quote = buyer.node.book.quote(need, no_lot).await?;
    let kind = standing::offered_kind(quote.offers.first());
    Ok(standing::least_class(&prepared.job, kind))
}

/// Begins the record of a run that has bought nothing yet.
fn begun(buyer: &Buyer, run: RunId, prepared: Prepared, output: PathBuf) -> RunRecord {
    let now = buyer.node.clock.now();
    RunRecord {
        run,
        kind: prepared.file.kind().to_owned(),
        job: prepared.job,
        budget: prepared.file.budget.into(),
        output,
        started_at: now.unwrap_or(Timestamp::from_millis(0)),
        attempts: Vec::new(),
        artefacts: Vec::new(),
        states: Vec::new(),
        progress: None,
        is_cancelled: false,
        outcome: None,
        note: None,
        sources: prepared.sources,
        bid: None,
        needs: prepared.file.needs,
    }
}
