//! Owns reading the small files in which a kernel shows its figures, below a root that tests choose.
//!
//! Never reads more than a bound, and never fails: a file that is missing, refused, gone since it was
//! listed or full of garbage has no value.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most bytes read of one file: four times the longest that a driver writes.
const FILE_BYTES: u64 = 16 << 10;

/// The most names read of one folder: `pid_max` of a desktop kernel is 32,768, and nothing here has more entries.
const FOLDER_NAMES: usize = 1 << 15;

/// A folder, and what is below it.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// Takes everything from below `root`; `/` is the machine itself.
    pub(crate) fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns a folder below this one.
    pub(crate) fn folder(&self, path: impl AsRef<Path>) -> Self {
        Self::below(self.root.join(path))
    }

    /// Reads a file's first bytes, at most 16 KiB.
    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let file = File::open(self.root.join(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Reads a file as text without the white space around it; bytes that are no text become marks.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = self.bytes(path)?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// Reads a file that holds one decimal number.
    pub(crate) fn number(&self, path: impl AsRef<Path>) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// Reads a file that holds one number that cannot be negative.
    pub(crate) fn count(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// Lists the names in a folder in order, at most 32,768; empty where it cannot be listed.
    pub(crate) fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        self.listed(folder).unwrap_or_default()
    }

    /// Lists as [`Files::names`] does, and tells a folder that cannot be listed from an empty one.
    pub(crate) fn listed(&self, folder: impl AsRef<Path>) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.root.join(folder)).ok()?;
        let names = entries
            .take(FOLDER_NAMES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Some(names)
    }

    /// Returns where a link leads, as it is written.
    pub(crate) fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        fs::read_link(self.root.join(path)).ok()
    }
}
