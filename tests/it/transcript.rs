//! Owns what a process has written so far, and waiting until it has written what is expected.
//!
//! Never waits without a limit: whoever waits in vain is told what was written last.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How much of the end is shown when something was awaited in vain.
const SHOWN_BYTES: usize = 4_000;

/// What was written so far. Clones show the same.
///
/// Threads that block in reads write it and the test waits on it, so no single owner is possible.
#[derive(Clone, Default)]
pub(crate) struct Transcript(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    open_readers: usize,
}

impl Transcript {
    /// Appends everything that `reader` gives until its end, on a thread of its own.
    pub(crate) fn record(&self, mut reader: impl Read + Send + 'static) {
        self.state().open_readers += 1;
        let transcript = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8 << 10];
            // A terminal whose last user is gone ends with an error, which is an end like any other.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                transcript.state().bytes.extend_from_slice(&buffer[..count]);
                transcript.0.changed.notify_all();
            }
            transcript.state().open_readers -= 1;
            transcript.0.changed.notify_all();
        });
    }

    /// Returns how many bytes there are; with [`Self::since`], a place to go on reading from.
    pub(crate) fn len(&self) -> usize {
        self.state().bytes.len()
    }

    /// Returns everything so far.
    pub(crate) fn text(&self) -> String {
        self.since(0)
    }

    /// Returns what came after the first `start` bytes.
    pub(crate) fn since(&self, start: usize) -> String {
        let state = self.state();
        String::from_utf8_lossy(state.bytes.get(start..).unwrap_or_default()).into_owned()
    }

    /// Waits until `find` finds something in what came after `start`, and returns it.
    pub(crate) fn wait<T>(
        &self,
        start: usize,
        (limit, what): (Duration, &str),
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let (seen, text) = (self.len(), self.since(start));
            if let Some(found) = find(&text) {
                return found;
            }
            assert!(
                !self.is_over(seen),
                "{what} did not come before the end{}",
                self.end()
            );
            let is_late = Instant::now() >= deadline;
            assert!(
                !is_late,
                "{what} did not come within {limit:?}{}",
                self.end()
            );
            self.wait_for_more(seen, deadline);
        }
    }

    /// Waits until every reader is at its end.
    pub(crate) fn wait_for_end(&self, limit: Duration, what: &str) {
        let has_ended = self.ends_within(limit);
        assert!(
            has_ended,
            "{what} did not end within {limit:?}{}",
            self.end()
        );
    }

    /// Tells whether every reader is at its end within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let is_open = |state: &mut State| state.open_readers > 0;
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, is_open);
        let (_state, result) = waited.expect("no reader panics");
        !result.timed_out()
    }

    /// Tells whether every reader is at its end and nothing came after the first `seen` bytes.
    fn is_over(&self, seen: usize) -> bool {
        let state = self.state();
        state.open_readers == 0 && state.bytes.len() <= seen
    }

    fn wait_for_more(&self, seen: usize, deadline: Instant) {
        let limit = deadline.saturating_duration_since(Instant::now());
        let is_same = |state: &mut State| state.bytes.len() <= seen && state.open_readers > 0;
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, is_same);
        drop(waited.expect("no reader panics"));
    }

    /// Waits until there is more than `seen` bytes or `limit` has passed, also after the end.
    fn pause(&self, seen: usize, limit: Duration) {
        let is_same = |state: &mut State| state.bytes.len() <= seen;
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, is_same);
        drop(waited.expect("no reader panics"));
    }

    /// Returns the end of the text, for a message.
    pub(crate) fn end(&self) -> String {
        let text = self.text();
        let mut start = text.len().saturating_sub(SHOWN_BYTES);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        format!("; the last that was written:\n{}", &text[start..])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no reader panics")
    }
}

/// Tries again and again until `attempt` returns something; `watched` is the process that it depends on.
pub(crate) fn retry<T>(
    (limit, what): (Duration, &str),
    watched: &Transcript,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        let seen = watched.len();
        match attempt() {
            Ok(found) => return found,
            Err(last) => assert!(
                Instant::now() < deadline,
                "{what} did not come within {limit:?}; the last try gave:\n{last}{}",
                watched.end()
            ),
        }
        watched.pause(seen, Duration::from_millis(200));
    }
}

#[test]
fn what_is_awaited_is_found_and_the_end_is_noticed() {
    let transcript = Transcript::default();
    transcript.record("one\ntwo\n".as_bytes());
    let limit = Duration::from_secs(10);
    let found = transcript.wait(4, (limit, "two"), |text| text.find("two"));
    assert_eq!(found, 0);
    transcript.wait_for_end(limit, "the text");
    assert_eq!(
        (transcript.text().as_str(), transcript.len()),
        ("one\ntwo\n", 8)
    );
}

#[test]
#[should_panic(expected = "three did not come before the end; the last that was written:\none")]
fn who_waits_in_vain_is_told_what_was_written() {
    let transcript = Transcript::default();
    transcript.record("one".as_bytes());
    transcript.wait_for_end(Duration::from_secs(10), "the text");
    transcript.wait(0, (Duration::from_secs(10), "three"), |text| {
        text.find("three")
    });
}
