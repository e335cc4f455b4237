//! Owns the file that holds a run's events, one JSON object a line, and its bound.
//!
//! Never leaves half a line where a whole one can follow: what a full disk or a kill left is cut off first. Never
//! cuts off a whole line, readable or not, and changes nothing in a file that is opened for reading.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use market_node::api::{NumberedEvent, RunEvent};
use serde::Deserialize;

use super::{Reports, is_passing};

/// The most bytes of one line; none that is told comes near it.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// An open file of events.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    limit: u64,
    /// Changes when the file is written anew, so that readers begin again.
    generation: u64,
    first: Option<u64>,
}

/// What a file holds when it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// The number that follows its last one.
    pub(super) next: u64,
    /// Which reports were told.
    pub(super) reports: Reports,
}

/// How far a reader is.
#[derive(Debug, Default)]
pub(super) struct Place {
    generation: u64,
    offset: u64,
}

impl EventFile {
    /// Opens or makes the file, cuts a torn last line off, and returns what it holds.
    pub(super) fn open(path: &Path, limit: u64) -> io::Result<(Self, Found)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = Self::over(options.open(path)?, path, limit)?;
        opened.0.file.set_len(opened.0.length)?;
        Ok(opened)
    }

    /// Opens the file of a run that is over, to read it and never to change it, and returns the same.
    pub(super) fn open_to_read(path: &Path) -> io::Result<(Self, Found)> {
        Self::over(File::open(path)?, path, 0)
    }

    fn over(file: File, path: &Path, limit: u64) -> io::Result<(Self, Found)> {
        let (mut at, mut length, mut first, mut found) = (0, 0, None, Found::default());
        for_each_line(&file, 0, u64::MAX, |line| {
            at += line.bytes;
            if line.is_whole {
                length = at;
                first = first.or(line.event.as_ref().map(|event| event.n));
                let after = line.n.map_or(0, |n| n.saturating_add(1));
                found.next = found.next.max(after);
                let event = line.event.as_ref().map(|event| &event.event);
                if let Some(event) = event {
                    found.reports.note(event);
                }
            }
        })?;
        let opened = Self {
            path: path.to_owned(),
            file,
            length,
            limit,
            generation: 0,
            first,
        };
        Ok((opened, found))
    }

    /// Returns the number of the first event that is kept.
    pub(super) fn first(&self) -> Option<u64> {
        self.first
    }

    /// Adds an event, and makes room first where the file would grow beyond its bound.
    pub(super) fn append(&mut self, event: &NumberedEvent) -> io::Result<()> {
        let line = line(event)?;
        if self.length + line.len() as u64 > self.limit {
            self.make_room()?;
        }
        // What an attempt on a full disk left behind the last whole line is written over.
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(&line) {
            let _kept_for_the_next_open = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += line.len() as u64;
        self.first.get_or_insert(event.n);
        Ok(())
    }

    /// Reads whole lines from a reader's place, about `bytes` of them, and moves the place on.
    pub(super) fn read(
        &mut self,
        place: &mut Place,
        bytes: usize,
    ) -> io::Result<Vec<NumberedEvent>> {
        if place.generation != self.generation {
            *place = Place {
                generation: self.generation,
                offset: 0,
            };
        }
        let end = self.length.min(place.offset + bytes as u64);
        let mut events = Vec::new();
        let mut read = 0;
        for_each_line(&self.file, place.offset, end, |line| {
            events.extend(line.event);
            read += line.bytes;
        })?;
        // Nothing there where there should be: somebody else cut the file.
        place.offset = match read {
            0 => self.length,
            read => place.offset + read,
        };
        Ok(events)
    }

    /// Tells whether a reader has read all that the file holds.
    pub(super) fn is_at_end(&self, place: &Place) -> bool {
        place.generation == self.generation && place.offset >= self.length
    }

    /// Writes the file anew with half its bound: the oldest steps and texts go first, then the oldest of all.
    fn make_room(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        for_each_line(&self.file, 0, self.length, |line| {
            events.extend(line.event.map(|event| (event, line.bytes)));
        })?;
        let kept = thinned(events, self.limit / 2);
        let temporary = self.path.with_extension("part");
        let mut fresh = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)?;
        let mut bytes = Vec::new();
        for event in &kept {
            bytes.extend(line(event)?);
        }
        let written = fresh.write_all(&bytes);
        if let Err(error) = written.and_then(|()| fs::rename(&temporary, &self.path)) {
            let _left_over = fs::remove_file(&temporary);
            return Err(error);
        }
        self.file = fresh;
        self.length = bytes.len() as u64;
        self.generation += 1;
        self.first = kept.first().map(|event| event.n);
        Ok(())
    }
}

/// Drops the oldest events that only show progress, and then the oldest of all, until the rest has at most
/// `limit` bytes. A line in the place of the newest one dropped says how many are gone.
fn thinned(events: Vec<(NumberedEvent, u64)>, limit: u64) -> Vec<NumberedEvent> {
    let mut total: u64 = events.iter().map(|(_, bytes)| bytes).sum();
    let mut keep = vec![true; events.len()];
    let (mut dropped, mut newest) = (0_u64, None);
    for only_passing in [true, false] {
        for (index, (event, bytes)) in events.iter().enumerate() {
            if total <= limit {
                break;
            }
            if keep[index] && (is_passing(&event.event) || !only_passing) {
                keep[index] = false;
                total -= bytes;
                dropped += 1;
                newest = newest.max(Some(index));
            }
        }
    }
    let kept = events.into_iter().zip(keep).enumerate();
    kept.filter_map(|(index, ((event, _), keep))| {
        let line = format!("{dropped} older lines were dropped here to bound this log");
        match (keep, newest == Some(index)) {
            (true, _) => Some(event),
            (false, true) => Some(NumberedEvent {
                n: event.n,
                event: RunEvent::Note { line },
            }),
            (false, false) => None,
        }
    })
    .collect()
}

fn line(event: &NumberedEvent) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

/// A line as it was found.
struct Line {
    /// What it says; none where it cannot be read, because it is damaged or of a newer release.
    event: Option<NumberedEvent>,
    /// Its number, where at least that can be read.
    n: Option<u64>,
    bytes: u64,
    /// Whether it has an end.
    is_whole: bool,
}

/// The part of a line that every release writes.
#[derive(Deserialize)]
struct Numbered {
    n: u64,
}

/// Hands out the lines that begin in a range; one that is too long comes in pieces that cannot be read.
fn for_each_line(
    mut file: &File,
    start: u64,
    end: u64,
    mut take: impl FnMut(Line),
) -> io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file);
    let mut at = start;
    while at < end {
        let mut line = Vec::new();
        let bytes = (&mut reader)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)? as u64;
        if bytes == 0 {
            return Ok(());
        }
        let event: Option<NumberedEvent> = serde_json::from_slice(&line).ok();
        let numbered = || {
            serde_json::from_slice(&line)
                .ok()
                .map(|line: Numbered| line.n)
        };
        take(Line {
            n: event.as_ref().map(|event| event.n).or_else(numbered),
            event,
            bytes,
            is_whole: line.last() == Some(&b'\n'),
        });
        at += bytes;
    }
    Ok(())
}
