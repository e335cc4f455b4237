//! Owns one log file that never outgrows its limit: when full it is set aside under a number, and the oldest
//! is removed.
//!
//! Never fails the program: where the disk is full, lines are lost, and the next one that fits says how many
//! bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file `NAME` beside `NAME.1`, the one before it, and so on. Several processes may append to one.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    limit_bytes: u64,
    files: u32,
    lost_bytes: u64,
}

impl RotatingFile {
    /// Appends to `path`, of which `files` are kept, this one included, each of about `limit_bytes` at most.
    pub(super) fn open(path: PathBuf, limit_bytes: u64, files: u32) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            path,
            file,
            limit_bytes,
            files,
            lost_bytes: 0,
        })
    }

    /// Sets the full file aside, unless another process already did, and begins the next.
    fn rotate(&mut self) -> io::Result<()> {
        if self.is_current()? {
            let oldest = self.files.saturating_sub(1);
            for number in (1..oldest).rev() {
                rename(
                    &numbered(&self.path, number),
                    &numbered(&self.path, number + 1),
                )?;
            }
            match oldest {
                0 => fs::remove_file(&self.path)?,
                _ => rename(&self.path, &numbered(&self.path, 1))?,
            }
        }
        self.file = append_to(&self.path)?;
        self.bytes = self.file.metadata()?.len();
        Ok(())
    }

    fn is_current(&self) -> io::Result<bool> {
        let named = match fs::metadata(&self.path) {
            Ok(named) => named,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(named.ino() == self.file.metadata()?.ino())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.limit_bytes {
            self.rotate()?;
        }
        if self.lost_bytes > 0 {
            let note = format!(
                "{} bytes of log were lost: they could not be written\n",
                self.lost_bytes
            );
            self.file.write_all(note.as_bytes())?;
            self.lost_bytes = 0;
        }
        self.file.write_all(line)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(())
    }
}

impl Write for RotatingFile {
    /// Takes a whole line at a time. A line that cannot be written is counted, and never an error.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.append(line).is_err() {
            let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
            self.lost_bytes = self.lost_bytes.saturating_add(length);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // Every line goes to the system at once.
    }
}

/// Opens a file that only its owner can read.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Renames a file that may not be there.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
