//! A folder in the temporary folder that belongs to this process, and goes with it.
//!
//! It must never remove the folder of a process that lives: each holds a lock on its own, which the kernel lets go of at
//! its end, so that a process number that is used again, or means another process in a container, misleads nobody.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How often another name is tried.
const TRIES: u32 = 100;

/// A folder that its owner alone may enter; dropping it removes it with all that is in it.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    // Locked as long as this lives.
    held: File,
}

impl PrivateFolder {
    /// Makes a folder whose name begins with `prefix`, and nobody can foresee. Removes what processes of this user that
    /// are gone left under such names.
    ///
    /// # Errors
    /// The system's, where there is no room, no permission or no entropy.
    pub fn make(prefix: &str) -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir(), prefix)
    }

    fn make_in(parent: &Path, prefix: &str) -> io::Result<Self> {
        for _ in 0..TRIES {
            let number = getrandom::u64().map_err(io::Error::other)?;
            let path = parent.join(format!("{prefix}{number:016x}"));
            match private(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            // One who sweeps between making and locking takes it for left behind.
            let held = match File::open(&path) {
                Ok(held) => held,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            held.lock()?;
            if path.exists() {
                let made = Self { path, held };
                made.sweep(parent, prefix);
                return Ok(made);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder itself, whatever its name leads to.
    pub(crate) fn handle(&self) -> &File {
        &self.held
    }

    /// Removes the folders of this user that no process holds any more.
    fn sweep(&self, parent: &Path, prefix: &str) {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let is_one = name.to_str().is_some_and(|name| name.starts_with(prefix));
            let path = entry.path();
            if !is_one || path == self.path || !self.has_same_owner(&path) {
                continue;
            }
            let Ok(folder) = File::open(&path) else {
                continue;
            };
            if folder.try_lock().is_ok() {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }

    /// Says whether a folder is the same user's; a link is nobody's.
    #[cfg(unix)]
    fn has_same_owner(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;

        let (Ok(own), Ok(other)) = (self.held.metadata(), fs::symlink_metadata(path)) else {
            return false;
        };
        other.is_dir() && other.uid() == own.uid()
    }

    /// Elsewhere the temporary folder is each user's own.
    #[cfg(not(unix))]
    fn has_same_owner(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Where this fails, the next one to make such a folder removes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(all(test, unix))]
mod tests;
