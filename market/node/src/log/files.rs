//! Owns the few things that a log asks of a file system, and the system's own answer to them.
//!
//! Never knows what a record is. Every wait for the disk says by a [`Barrier`] what it makes durable, so that a test
//! can leave one out and must then find what is lost.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What a wait for the disk makes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Barrier {
    /// The folders above the log, which may have been made just now.
    FolderNamed,
    /// A new segment's content, before it gets its name.
    SegmentWritten,
    /// A new segment's name.
    SegmentNamed,
    /// A record, before it is acknowledged.
    RecordAppended,
    /// The records that an earlier process wrote and may not have waited for: they are acted on from now.
    TailFound,
    /// The segment's name, for which an earlier process may not have waited.
    NameFound,
}

/// What a log asks of a file system. A second one, in the tests, forgets what was not waited for.
pub(crate) trait Files: fmt::Debug + Send + Sync {
    /// Makes the folder and those above it, unless they are there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Returns the names in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Returns a file's content.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    /// Creates a file, or empties it.
    fn create(&self, file: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Opens a file for appending, after cutting it to `length` bytes.
    fn open(&self, file: &Path, length: u64) -> io::Result<Box<dyn LogFile>>;
    /// Gives a file another name in the same folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
    /// Waits until the names in a folder are on disk.
    fn sync_folder(&self, folder: &Path, barrier: Barrier) -> io::Result<()>;
}

/// A file that grows at its end.
pub(crate) trait LogFile: fmt::Debug + Send {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `length` bytes, where the next append goes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until content and length are on disk.
    fn sync(&mut self, barrier: Barrier) -> io::Result<()>;
}

/// The system's files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemFiles;

impl Files for SystemFiles {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn LogFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(SystemFile(options.open(file)?)))
    }

    fn open(&self, file: &Path, length: u64) -> io::Result<Box<dyn LogFile>> {
        let opened = OpenOptions::new().read(true).write(true).open(file)?;
        let mut opened = SystemFile(opened);
        opened.cut(length)?;
        Ok(Box::new(opened))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    /// Only Unix lets a folder be synced; elsewhere the file system has to order it by itself.
    fn sync_folder(&self, folder: &Path, _barrier: Barrier) -> io::Result<()> {
        if cfg!(unix) {
            File::open(folder)?.sync_all()
        } else {
            Ok(())
        }
    }
}

#[derive(Debug)]
struct SystemFile(File);

impl LogFile for SystemFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length)).map(|_| ())
    }

    fn sync(&mut self, _barrier: Barrier) -> io::Result<()> {
        self.0.sync_data()
    }
}
