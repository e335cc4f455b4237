//! Owns the events of one run: numbered, kept on disk within a bound, and followed by any number of readers.
//!
//! Never lets the run wait for a reader or for a full disk, and never shows half an event: a torn last line is
//! cut off when the file is opened again.
//!
//! ```text
//!   tell ─► pending lines ─► HOME/runs/RUN/events.ndjson ─► Reader, one a stream
//!                                   └─ at 4 MiB the oldest steps and texts are dropped, and a line says so
//! ```

mod file;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::AgreementId;
use market_node::api::{NumberedEvent, RunEvent};
use tokio::sync::watch;

use self::file::{EventFile, Found};

/// The most bytes of one run's events on disk.
const MAX_BYTES: u64 = 4 << 20;

/// The most events that wait for a disk that takes nothing.
const MAX_PENDING: usize = 4_096;

/// Bytes that a reader takes at a time.
const READ_BYTES: usize = 64 << 10;

/// The events of one run. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct EventLog {
    // A mutex and no owning task: the run's tasks tell, streams read, and the lock is held for one small write
    // or read of a file.
    inner: Arc<Mutex<Inner>>,
    told: watch::Sender<Told>,
}

/// What readers wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    next: u64,
    is_over: bool,
}

#[derive(Debug)]
struct Inner {
    next: u64,
    reports: Reports,
    file: Option<EventFile>,
    /// Lines that are not in the file, in order: there is none yet, or the disk takes nothing.
    pending: VecDeque<NumberedEvent>,
    has_warned: bool,
}

impl EventLog {
    /// Begins without a file: nothing was bought yet.
    pub(crate) fn new() -> Self {
        Self::with(None, Found::default())
    }

    /// Goes on with the file of an earlier start, or begins one.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let (file, found) = EventFile::open(path, MAX_BYTES)?;
        Ok(Self::with(Some(file), found))
    }

    /// Reads the file of a run that is over, and never changes it.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub(crate) fn open_to_read(path: &Path) -> std::io::Result<Self> {
        let (file, found) = EventFile::open_to_read(path)?;
        let log = Self::with(Some(file), found);
        log.close();
        Ok(log)
    }

    fn with(file: Option<EventFile>, Found { next, reports }: Found) -> Self {
        let inner = Inner {
            next,
            reports,
            file,
            pending: VecDeque::new(),
            has_warned: false,
        };
        let is_over = false;
        Self {
            inner: Arc::new(Mutex::new(inner)),
            told: watch::Sender::new(Told { next, is_over }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A line is either in the queue or in the file, whatever a panic interrupted.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was told so far, and everything that follows, in a file.
    ///
    /// # Errors
    /// The file cannot be made; events stay in memory then.
    pub(crate) fn keep_at(&self, path: &Path) -> std::io::Result<()> {
        let (file, _) = EventFile::open(path, MAX_BYTES)?;
        let mut inner = self.lock();
        inner.file = Some(file);
        inner.write_down();
        Ok(())
    }

    /// Tells whether events come into a file.
    pub(crate) fn is_kept(&self) -> bool {
        self.lock().file.is_some()
    }

    /// Tells an event; never waits. Where the disk takes nothing, the newest events are held in memory.
    pub(crate) fn tell(&self, event: RunEvent) {
        let mut inner = self.lock();
        let n = inner.next;
        inner.next += 1;
        inner.reports.note(&event);
        inner.pending.push_back(NumberedEvent { n, event });
        inner.write_down();
        inner.bound_pending();
        let next = inner.next;
        drop(inner);
        // Two that tell at once may come here in the other order.
        self.told
            .send_modify(|told| told.next = told.next.max(next));
    }

    /// Returns the number of the first report of an agreement that was not told.
    pub(crate) fn next_report(&self, agreement: AgreementId) -> u64 {
        self.lock().reports.next(agreement)
    }

    /// Says that nothing follows: readers end when they have read everything.
    pub(crate) fn close(&self) {
        self.told.send_modify(|told| told.is_over = true);
    }

    /// Waits until nobody reads any more.
    pub(crate) async fn unread(&self) {
        self.told.closed().await;
    }

    /// Reads from number `from` on.
    pub(crate) fn reader(&self, from: u64) -> Reader {
        Reader {
            log: self.clone(),
            told: self.told.subscribe(),
            next: from,
            place: file::Place::default(),
            taken: VecDeque::new(),
        }
    }

    /// Returns the numbers of the first event that is kept and of the next one that will be told.
    pub(crate) fn range(&self) -> (u64, u64) {
        let inner = self.lock();
        let first = inner.file.as_ref().and_then(EventFile::first);
        let first = first.or_else(|| inner.pending.front().map(|event| event.n));
        (first.unwrap_or(inner.next), inner.next)
    }
}

impl Inner {
    /// Brings the waiting lines to the file, as far as the disk takes them.
    fn write_down(&mut self) {
        let Some(file) = &mut self.file else { return };
        while let Some(event) = self.pending.front() {
            match file.append(event) {
                Ok(()) => {
                    self.pending.pop_front();
                    self.has_warned = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.has_warned, true) {
                        tracing::warn!(%error, "the events of a run wait in memory for their file");
                    }
                    return;
                }
            }
        }
    }

    /// Drops the oldest waiting events that only show progress, then the oldest, beyond the bound.
    fn bound_pending(&mut self) {
        if self.pending.len() > MAX_PENDING {
            let passing = |event: &NumberedEvent| is_passing(&event.event);
            let oldest = self.pending.iter().position(passing);
            self.pending.remove(oldest.unwrap_or(0));
        }
    }
}

/// Which reports were told. Each agreement numbers its own from 0, and the reports of one that was given up say
/// nothing about those of the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Reports {
    next: BTreeMap<AgreementId, u64>,
    /// Whose the reports are that releases before this one told without a name.
    newest: Option<AgreementId>,
}

impl Reports {
    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Opened { agreement, .. } => self.newest = Some(*agreement),
            RunEvent::Progress {
                agreement,
                number: Some(number),
                ..
            } => {
                if let Some(agreement) = agreement.or(self.newest) {
                    let next = self.next.entry(agreement).or_default();
                    *next = number.saturating_add(1).max(*next);
                }
            }
            _ => {}
        }
    }

    fn next(&self, agreement: AgreementId) -> u64 {
        self.next.get(&agreement).copied().unwrap_or_default()
    }
}

/// Tells whether an event only shows progress, so that older ones can be dropped.
fn is_passing(event: &RunEvent) -> bool {
    use market::progress::Progress;
    match event {
        RunEvent::Paid { .. } => true,
        RunEvent::Progress { report, .. } => {
            matches!(
                report,
                Progress::Step(_) | Progress::Text { .. } | Progress::HeldOut { .. }
            )
        }
        _ => false,
    }
}

/// Reads the events of a run in order.
#[derive(Debug)]
pub(crate) struct Reader {
    log: EventLog,
    told: watch::Receiver<Told>,
    next: u64,
    place: file::Place,
    taken: VecDeque<NumberedEvent>,
}

impl Reader {
    /// Returns the next event; waits for one while the run goes on. `None` when the run is over and everything
    /// was read.
    pub(crate) async fn next(&mut self) -> Option<NumberedEvent> {
        loop {
            // Taken before the look, so that what was told by then is to be had, or never will be.
            let told = *self.told.borrow_and_update();
            if let Some(event) = self.kept() {
                return Some(event);
            }
            if told.next > self.next {
                return Some(self.gap(told.next));
            }
            if told.is_over {
                return None;
            }
            if self.told.changed().await.is_err() {
                return self.kept();
            }
        }
    }

    /// Goes on at `next`, and says in the place of the last event before it that something is missing.
    fn gap(&mut self, next: u64) -> NumberedEvent {
        let missing = next - self.next;
        self.next = next;
        let line = format!("{missing} lines of this log are missing here: they cannot be read");
        let event = RunEvent::Note { line };
        let n = next - 1;
        NumberedEvent { n, event }
    }

    /// Returns the next event that was told already; waits for none.
    pub(crate) fn kept(&mut self) -> Option<NumberedEvent> {
        while self.taken.is_empty() && self.take() {}
        let event = self.taken.pop_front()?;
        self.next = event.n + 1;
        Some(event)
    }

    /// Takes what comes next; tells whether there is more to look through when that was nothing.
    fn take(&mut self) -> bool {
        let mut inner = self.log.lock();
        let next = self.next;
        if let Some(file) = &mut inner.file {
            match file.read(&mut self.place, READ_BYTES) {
                Ok(events) => {
                    let wanted = events.into_iter().filter(|event| event.n >= next);
                    self.taken.extend(wanted);
                    if !self.taken.is_empty() {
                        return false;
                    }
                    if !file.is_at_end(&self.place) {
                        return true;
                    }
                }
                Err(error) => tracing::warn!(%error, "the events of a run cannot be read"),
            }
        }
        let waiting = inner.pending.iter().filter(|event| event.n >= next);
        self.taken.extend(waiting.cloned());
        false
    }
}

#[cfg(test)]
mod tests;
