//! A pipe in memory for tests: what a worker will read, and what it said.
//!
//! Never used outside tests.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use market::BlobHash;
use market::job::JobSpec;

use crate::protocol::{Blob, FromWorker, MAX_FRAME_BYTES, Metric, Pipe, ToWorker};

/// Both directions of a pipe, as lists.
#[derive(Default)]
pub(crate) struct MemoryPipe {
    to_worker: VecDeque<ToWorker>,
    pub(crate) said: Vec<FromWorker>,
    /// Messages after which sending fails.
    pub(crate) breaks_after: Option<usize>,
}

impl MemoryPipe {
    pub(crate) fn with(messages: impl IntoIterator<Item = ToWorker>) -> Self {
        Self {
            to_worker: messages.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Queues a job, its inputs in pieces of `piece` bytes, and the start.
    pub(crate) fn with_job(job: &JobSpec, contents: &[&[u8]], piece: usize) -> Self {
        let mut messages = vec![ToWorker::Job(Blob(job.to_bytes()))];
        for (input, content) in job.inputs.iter().zip(contents) {
            let mut offset = 0;
            for bytes in content.chunks(piece) {
                messages.push(ToWorker::Input {
                    name: input.name.clone(),
                    offset: offset as u64,
                    bytes: Blob(bytes.to_vec()),
                    last: offset + bytes.len() == content.len(),
                });
                offset += bytes.len();
            }
        }
        messages.push(ToWorker::Start);
        Self::with(messages)
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let metric = |message: &FromWorker| match message {
            FromWorker::Metric(metric) => Some(*metric),
            _ => None,
        };
        self.said.iter().filter_map(metric).collect()
    }

    /// Puts the outputs together and checks order, offsets and hashes on the way.
    pub(crate) fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let mut outputs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for message in &self.said {
            if let FromWorker::Output {
                name,
                offset,
                bytes,
                end,
            } = message
            {
                let content = outputs.entry(name.to_string()).or_default();
                assert_eq!(*offset, content.len() as u64, "{name}");
                content.extend_from_slice(&bytes.0);
                if let Some(hash) = end {
                    assert_eq!(*hash, BlobHash::of(content), "{name}");
                }
            }
        }
        outputs
    }
}

impl Pipe for MemoryPipe {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.to_worker.pop_front().map(|message| message.to_bytes()))
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        assert!(
            message.len() <= MAX_FRAME_BYTES,
            "a message fits into a frame"
        );
        if self
            .breaks_after
            .is_some_and(|count| self.said.len() >= count)
        {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.said
            .push(FromWorker::from_bytes(message).map_err(io::Error::other)?);
        Ok(())
    }
}
