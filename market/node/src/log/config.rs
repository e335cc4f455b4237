//! Owns what a log is: what it holds, where it lies, and to which chain it belongs.
//!
//! Never touches a file.

use std::fmt;
use std::path::PathBuf;

use market::ChainId;

use super::segment_path;
use crate::home::Home;

/// The size at which a new segment of blocks is begun, 64 MiB, unless configured otherwise.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// What a log holds, and so how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// An operator's blocks, every one since the first.
    Blocks,
    /// What a node must not lose: its newest segment, which begins with a snapshot.
    Journal,
}

impl LogKind {
    /// Returns the ending of a segment's file name, without the dot.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Journal => "journal",
        }
    }

    /// Returns what to do about a damaged one.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Blocks => "restore this folder from a backup, or from another operator's log",
            Self::Journal => {
                "restore this folder from a backup; or move it away and start again: the node then goes on with its \
                 index, which may lack the newest vouchers"
            }
        }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocks => "block log",
            Self::Journal => "node's journal",
        })
    }
}

/// What a log is opened with.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// What it holds.
    pub kind: LogKind,
    /// The folder that holds the segments and nothing else.
    pub directory: PathBuf,
    /// The chain that it belongs to; segments of another chain are refused.
    pub chain: ChainId,
    /// A segment of at least this many bytes is followed by a new one. A journal's owner decides by itself.
    pub segment_bytes: u64,
}

impl LogConfig {
    /// Names a log of blocks with segments of the usual size.
    pub fn blocks(directory: PathBuf, chain: ChainId) -> Self {
        Self {
            kind: LogKind::Blocks,
            directory,
            chain,
            segment_bytes: SEGMENT_BYTES,
        }
    }

    /// Names a node's journal.
    pub fn journal(directory: PathBuf, chain: ChainId) -> Self {
        Self {
            kind: LogKind::Journal,
            directory,
            chain,
            segment_bytes: u64::MAX,
        }
    }

    /// Returns where an operator keeps its log in its home, or `None` where there is none.
    pub fn of_home(home: &Home, chain: ChainId) -> Option<Self> {
        let directory = home.path().join("ledger").join("blocks");
        directory.is_dir().then(|| Self::blocks(directory, chain))
    }

    pub(super) fn segment(&self, first: u64) -> PathBuf {
        segment_path(&self.directory, first, self.kind)
    }
}
