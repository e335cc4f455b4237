//! Owns the task that holds the tape: one owner, one mailbox, and one thing at a time that it asks of the ledger.
//!
//! Never waits for the ledger itself: pages are fetched by a task of their own, while readers are answered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matching::{Tape, TapeCapacity, Trade, TradePlace};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::handle::{Ingress, MarketData, Read, Seen};
use super::rebuild::{RebuildError, Rebuilding, Rebuilt, is_last, next_page, rebuild};
use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;
use crate::network::CallError;

/// Things that wait for the task.
const MAILBOX: usize = 64;

/// Readers that wait for newer trades; more are answered with those that are known.
const MAX_WAITING: usize = 64;

/// Pages that one task fetches before it brings them.
const PAGES_AT_ONCE: usize = 16;

/// Questions in a row that an operator closes without an answer, after which it is asked seldom: one of an older release
/// does not know the question, and counts each against its sender.
const CLOSED_IN_A_ROW: u32 = 2;

/// How seldom: each is forgotten before the next.
const PAUSE_WHEN_CLOSED: Duration = Duration::from_secs(300);

/// How market data are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketDataConfig {
    /// The least time between two questions to the operator.
    pub pull_every: Duration,
    /// The longest that a reader waits for newer trades.
    pub patience: Duration,
    /// The same where some are known and the operator did not answer the last time.
    pub patience_away: Duration,
    /// How much is kept.
    pub capacity: TapeCapacity,
}

impl Default for MarketDataConfig {
    fn default() -> Self {
        Self {
            pull_every: Duration::from_secs(2),
            patience: Duration::from_secs(2),
            patience_away: Duration::from_millis(300),
            capacity: TapeCapacity::default(),
        }
    }
}

/// Who waits for a rebuild.
type RebuildReply = oneshot::Sender<Result<Rebuilding, RebuildError>>;

/// What a task of its own brings.
enum Brought {
    Pages(Vec<Trade>, PagesEnd),
    Rebuilt(Result<Box<Rebuilt>, RebuildError>),
}

/// How the fetching of pages ended.
enum PagesEnd {
    /// There are no more up to this block.
    All(u64),
    /// There are more.
    More,
    Failed(LedgerError),
}

/// Where the rebuild stands.
enum Rebuild {
    None,
    /// Pages are on their way, and come first.
    Wanted(RebuildReply),
    UnderWay(RebuildReply),
}

/// Holds the tape. Made by [`start`]; spawn [`MarketDataActor::run`] as a task of its own.
pub struct MarketDataActor {
    // What it is made of.
    config: MarketDataConfig,
    ledger: LedgerClient,
    // Messages.
    mailbox: mpsc::Receiver<Ingress>,
    waiting: VecDeque<(Instant, Read)>,
    /// At most one task.
    work: JoinSet<Brought>,
    // State.
    tape: Tape,
    cursor: Option<TradePlace>,
    height: Option<u64>,
    problem: Option<String>,
    asked_at: Option<Instant>,
    /// Questions in a row that were closed without an answer.
    closed: u32,
    rebuild: Rebuild,
}

/// Makes market data that know nothing yet; spawn [`MarketDataActor::run`] to let them be read.
pub fn start(config: MarketDataConfig, ledger: LedgerClient) -> (MarketData, MarketDataActor) {
    let (sender, mailbox) = mpsc::channel(MAILBOX);
    let actor = MarketDataActor {
        config,
        ledger,
        mailbox,
        waiting: VecDeque::new(),
        work: JoinSet::new(),
        tape: Tape::new(config.capacity),
        cursor: None,
        height: None,
        problem: None,
        asked_at: None,
        closed: 0,
        rebuild: Rebuild::None,
    };
    (MarketData { mailbox: sender }, actor)
}

impl MarketDataActor {
    /// Runs until the last [`MarketData`] is dropped.
    pub async fn run(mut self) {
        loop {
            let deadline = self.waiting.front().map(|(deadline, _)| *deadline);
            tokio::select! {
                ingress = self.mailbox.recv() => match ingress {
                    Some(Ingress::Read(read)) => self.on_read(read),
                    Some(Ingress::Rebuild(reply)) => self.on_rebuild(reply),
                    None => return,
                },
                Some(brought) = self.work.join_next() => match brought {
                    Ok(Brought::Pages(trades, end)) => self.on_pages(trades, end),
                    Ok(Brought::Rebuilt(rebuilt)) => self.on_rebuilt(rebuilt),
                    Err(error) => self.on_lost(&error),
                },
                () = reached(deadline) => self.answer_due(),
            }
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            tape: &self.tape,
            height: self.height,
            problem: self.problem.as_deref(),
        }
    }

    fn on_read(&mut self, read: Read) {
        let pause = match self.closed {
            ..CLOSED_IN_A_ROW => self.config.pull_every,
            CLOSED_IN_A_ROW.. => self.config.pull_every.max(PAUSE_WHEN_CLOSED),
        };
        let is_due = |asked: Instant| asked.elapsed() >= pause;
        if self.work.is_empty() && self.asked_at.is_none_or(is_due) {
            self.pull();
        }
        let waits_for_pages = !self.work.is_empty() && !self.is_rebuilding();
        if waits_for_pages && self.waiting.len() < MAX_WAITING {
            let deadline = Instant::now() + self.patience();
            self.waiting.push_back((deadline, read));
        } else {
            read(self.seen());
        }
    }

    fn patience(&self) -> Duration {
        match (self.height, &self.problem) {
            (Some(_), Some(_)) => self.config.patience_away,
            _ => self.config.patience,
        }
    }

    fn is_rebuilding(&self) -> bool {
        matches!(self.rebuild, Rebuild::UnderWay(_))
    }

    fn pull(&mut self) {
        self.asked_at = Some(Instant::now());
        self.work.spawn(pages(self.ledger.clone(), self.cursor));
    }

    fn on_pages(&mut self, trades: Vec<Trade>, end: PagesEnd) {
        self.take(trades);
        match &end {
            PagesEnd::Failed(error) => self.on_failed(error),
            PagesEnd::More | PagesEnd::All(_) => (self.problem, self.closed) = (None, 0),
        }
        match end {
            // Once all are known, the newer ones are asked for when somebody reads.
            PagesEnd::More => return self.pull(),
            PagesEnd::All(height) => self.height = self.height.max(Some(height)),
            PagesEnd::Failed(_) => {}
        }
        self.answer_all();
        self.begin_rebuild();
    }

    fn on_failed(&mut self, error: &LedgerError) {
        tracing::debug!(%error, "no newer trades are to be had");
        let is_closed = matches!(
            error,
            LedgerError::Unreachable {
                source: CallError::Closed,
                ..
            }
        );
        self.closed = match is_closed {
            true => self.closed.saturating_add(1),
            false => 0,
        };
        self.problem = Some(match self.closed {
            ..CLOSED_IN_A_ROW => error.to_string(),
            CLOSED_IN_A_ROW.. => {
                format!("{error}. An operator of an older release does not know what it was asked")
            }
        });
    }

    /// Records what came; the newest of it is where the next question begins.
    fn take(&mut self, trades: Vec<Trade>) {
        self.cursor = trades.last().map(|last| last.place).or(self.cursor);
        trades.into_iter().for_each(|trade| self.tape.record(trade));
    }

    fn on_rebuild(&mut self, reply: RebuildReply) {
        match self.rebuild {
            Rebuild::None => {
                self.rebuild = Rebuild::Wanted(reply);
                if self.work.is_empty() {
                    self.begin_rebuild();
                }
            }
            Rebuild::Wanted(_) | Rebuild::UnderWay(_) => {
                let _reader_gone = reply.send(Err(RebuildError::UnderWay));
            }
        }
    }

    fn begin_rebuild(&mut self) {
        let Rebuild::Wanted(reply) = std::mem::replace(&mut self.rebuild, Rebuild::None) else {
            return;
        };
        self.rebuild = Rebuild::UnderWay(reply);
        let (ledger, capacity) = (self.ledger.clone(), self.config.capacity);
        self.work.spawn(async move {
            let rebuilt = rebuild(&ledger, capacity).await;
            Brought::Rebuilt(rebuilt.map(Box::new))
        });
    }

    fn on_rebuilt(&mut self, rebuilt: Result<Box<Rebuilt>, RebuildError>) {
        let Rebuild::UnderWay(reply) = std::mem::replace(&mut self.rebuild, Rebuild::None) else {
            return;
        };
        let done = rebuilt.map(|rebuilt| self.replace(*rebuilt));
        let _reader_gone = reply.send(done);
    }

    /// Puts what was rebuilt in the place of what was known.
    fn replace(&mut self, rebuilt: Rebuilt) -> Rebuilding {
        // What has come since the last question was not known, and was not known wrong.
        let newer = |trade: &&Trade| self.cursor.is_none_or(|cursor| cursor < trade.place);
        let newer: Vec<Trade> = rebuilt.tape.iter().filter(newer).copied().collect();
        newer.into_iter().for_each(|trade| self.tape.record(trade));
        let digest_before = self.tape.digest();
        let Rebuilt {
            tape,
            cursor,
            height,
        } = rebuilt;
        let rebuilding = Rebuilding {
            height,
            trades: tape.len(),
            digest_before,
            digest: tape.digest(),
        };
        if rebuilding.digest_before != rebuilding.digest {
            tracing::warn!("market data were wrong and are made again from the ledger");
        }
        self.tape = tape;
        self.cursor = cursor;
        self.height = Some(height);
        self.problem = None;
        rebuilding
    }

    /// The task ended without a word: nothing came.
    fn on_lost(&mut self, error: &tokio::task::JoinError) {
        tracing::error!(%error, "reading trades from the ledger ended unexpectedly");
        self.problem =
            Some("reading them ended unexpectedly; try again, and look at the log".to_owned());
        // Who waited for a rebuild hears that it ended, by the reply that is dropped.
        self.rebuild = Rebuild::None;
        self.answer_all();
    }

    fn answer_all(&mut self) {
        for (_, read) in std::mem::take(&mut self.waiting) {
            read(self.seen());
        }
    }

    /// Answers those who have waited long enough with what is known.
    fn answer_due(&mut self) {
        let now = Instant::now();
        while let Some((_, read)) = self.waiting.pop_front_if(|(deadline, _)| *deadline <= now) {
            read(self.seen());
        }
    }
}

/// Waits until then; for ever without a deadline.
async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Fetches the next pages.
async fn pages(ledger: LedgerClient, mut after: Option<TradePlace>) -> Brought {
    let mut trades = Vec::new();
    for _ in 0..PAGES_AT_ONCE {
        let page = match next_page(&ledger, after).await {
            Ok(page) => page,
            Err(error) => return Brought::Pages(trades, PagesEnd::Failed(error)),
        };
        let (is_last, height) = (is_last(&page), page.height);
        after = page.trades.last().map(|last| last.place).or(after);
        trades.extend(page.trades);
        if is_last {
            return Brought::Pages(trades, PagesEnd::All(height));
        }
    }
    Brought::Pages(trades, PagesEnd::More)
}
