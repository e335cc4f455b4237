//! Owns the home folder of a node: which file lies where, with which permissions, and that only one
//! process at a time uses it.
//!
//! Never interprets the files' content.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The environment variable that names the home folder.
pub const HOME_VARIABLE: &str = "NIGHTSHIFT_HOME";

/// The longest path that a Unix socket's address can hold, without its closing zero byte.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// How often a lock that is held is tried again, and the pause before each.
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The folder in which one node keeps all that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// Why a home folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither a flag nor the environment nor the platform names a folder.
    #[error("no home folder: pass --home DIR or set {HOME_VARIABLE}")]
    Nowhere,
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another user owns a folder.
    #[error(
        "{path} belongs to another user (number {owner}), who could change what is in it; use a folder of your \
         own, with --home DIR or {HOME_VARIABLE}"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others can change a folder.
    #[error("others can change what is in {path} (mode {mode:o}); run: chmod 700 {path}")]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process uses this home.
    #[error(
        "another nightshift uses {path}{}; use it through commands such as `nightshift status`, or stop it \
         first{}", holder_of(*.pid, ": process "), holder_of(*.pid, ": kill ")
    )]
    Locked {
        /// The home folder.
        path: PathBuf,
        /// The process that uses it, where its file tells.
        pid: Option<u32>,
    },
}

/// Who has a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// No process does.
    Nobody,
    /// One does; its id, where its file tells.
    Process(Option<u32>),
}

/// Keeps other processes out of a home for as long as it lives.
#[derive(Debug)]
pub struct HomeLock {
    // Dropping the file releases the lock.
    _file: File,
}

fn holder_of(pid: Option<u32>, before: &str) -> String {
    pid.map_or_else(String::new, |pid| format!("{before}{pid}"))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io {
        action,
        path,
        source,
    }
}

impl Home {
    /// Uses `flag`, else the environment, else the platform's data folder; makes the folder if needed.
    pub fn locate(flag: Option<PathBuf>) -> Result<Self, HomeError> {
        let from_environment = || std::env::var_os(HOME_VARIABLE).map(PathBuf::from);
        let root = flag
            .or_else(from_environment)
            .or_else(platform_data_folder)
            .filter(|path| !path.as_os_str().is_empty())
            .ok_or(HomeError::Nowhere)?;
        Self::at(root)
    }

    /// Uses exactly `root`, made with mode 0700 if it does not exist. One that is there must be ours, and not
    /// writable by everyone.
    pub fn at(root: PathBuf) -> Result<Self, HomeError> {
        let root = std::path::absolute(&root).map_err(failed("resolve", &root))?;
        make_private_folder(&root)?;
        // Its files are private one by one, so others may look, but not put theirs in their place.
        #[cfg(unix)]
        check_owned(&root, fs::metadata, 0o002)?;
        Ok(Self { root })
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Takes the home for this process, or says which one has it.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.lock_file();
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(failed("open", &path))?;
        let mut attempts = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Whoever only asks holds it for an instant.
                Err(TryLockError::WouldBlock) if attempts < LOCK_ATTEMPTS => {
                    attempts += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(HomeError::Locked {
                        path: self.root.clone(),
                        pid: read_pid(&mut file),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
            }
        }
        // The lock is what counts; the id is a hint for people, and a full disk has no room for it.
        let noted = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::warn!(file = %path.display(), %error, "which process has the home could not be noted");
        }
        Ok(HomeLock { _file: file })
    }

    /// Tells whether a process has this home now, and which; changes nothing.
    ///
    /// # Errors
    /// The lock's file cannot be opened or asked.
    pub fn holder(&self) -> Result<Holder, HomeError> {
        let path = self.lock_file();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Holder::Process(read_pid(&mut file))),
            Err(TryLockError::Error(source)) => Err(failed("ask for the lock of", &path)(source)),
        }
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("nightshift.lock")
    }

    /// Returns the file of the market's genesis.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// Returns the file that names the bootstrap addresses.
    pub fn bootstrap(&self) -> PathBuf {
        self.root.join("bootstrap.txt")
    }

    /// Returns the file of settings.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Returns the file of a key, for example `account`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.root.join("keys").join(format!("{name}.key"))
    }

    /// Returns the file of which matrix kernel suits which GPU.
    pub fn gpu_kernels(&self) -> PathBuf {
        self.root.join("gpu-kernels.txt")
    }

    /// Returns the file of the class that this machine's GPU had last.
    pub fn gpu_class(&self) -> PathBuf {
        self.root.join("gpu-class.txt")
    }

    /// Returns the file of the account's delegation to this node.
    pub fn delegation(&self) -> PathBuf {
        self.root.join("keys").join("delegation.bin")
    }

    /// Returns the folder of an area, for example `store`, `blobs` or `ledger`; made if needed.
    pub fn folder(&self, area: &str) -> Result<PathBuf, HomeError> {
        let path = self.root.join(area);
        make_private_folder(&path)?;
        Ok(path)
    }

    /// Returns the path of the local API's socket. Where the home's own path is too long for a socket
    /// address, that is a private folder below the system's temporary one, named by the home's hash.
    pub fn socket(&self) -> Result<PathBuf, HomeError> {
        let usual = self.root.join("api.sock");
        if usual.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
            return Ok(usual);
        }
        let hash = blake3::hash(self.root.as_os_str().as_encoded_bytes()).to_hex();
        let folder = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_dir() && path.as_os_str().len() < 60)
            .unwrap_or_else(|| PathBuf::from("/tmp"))
            .join(format!("nightshift-{}", &hash[..16]));
        make_private_folder(&folder)?;
        // Anyone can guess this name and make the folder, or a link, first.
        #[cfg(unix)]
        check_owned(&folder, fs::symlink_metadata, 0o077)?;
        Ok(folder.join("api.sock"))
    }
}

/// Reads the process id that a lock's file holds.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut bytes = [0; 16];
    let length = file.read(&mut bytes).ok()?;
    std::str::from_utf8(bytes.get(..length)?)
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn platform_data_folder() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let data = if cfg!(target_os = "macos") {
        home()?.join("Library/Application Support")
    } else if cfg!(windows) {
        PathBuf::from(std::env::var_os("APPDATA")?)
    } else {
        match std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => home()?.join(".local/share"),
        }
    };
    Some(data.join("nightshift"))
}

fn make_private_folder(path: &Path) -> Result<(), HomeError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(failed("create", path))
}

/// Checks that a folder is this user's and has none of the `forbidden` permission bits.
#[cfg(unix)]
fn check_owned(
    path: &Path,
    metadata_of: fn(PathBuf) -> io::Result<fs::Metadata>,
    forbidden: u32,
) -> Result<(), HomeError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = metadata_of(path.to_owned()).map_err(failed("look at", path))?;
    if !metadata.is_dir() {
        let source = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(failed("use", path)(source));
    }
    let path = path.to_owned();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != rustix::process::geteuid().as_raw() {
        return Err(HomeError::Foreign { path, owner });
    }
    if mode & forbidden != 0 {
        return Err(HomeError::Open { path, mode });
    }
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all: temporary name, fsync, rename.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), HomeError> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(&temporary)
        .map_err(failed("create", &temporary))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &temporary))?;
    fs::rename(&temporary, path).map_err(failed("rename", &temporary))?;
    if let Some(folder) = path.parent() {
        let opened = File::open(folder).map_err(failed("open", folder))?;
        opened.sync_all().map_err(failed("flush", folder))?;
    }
    Ok(())
}

/// Gives a file of the home another name in its folder, on disk when this returns.
pub fn rename_private(from: &Path, to: &Path) -> Result<(), HomeError> {
    fs::rename(from, to).map_err(failed("rename", from))?;
    if let Some(folder) = to.parent() {
        let opened = File::open(folder).map_err(failed("open", folder))?;
        opened.sync_all().map_err(failed("flush", folder))?;
    }
    Ok(())
}

/// Reads a file of the home.
pub fn read(path: &Path) -> Result<Vec<u8>, HomeError> {
    fs::read(path).map_err(failed("read", path))
}

#[cfg(all(test, unix))]
mod tests;
