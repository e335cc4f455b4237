//! Owns the folder of complete blobs and the way a file becomes one.
//!
//! Never names a file complete before its hash was computed and it was written to disk.
//!
//! ```text
//! objects/ab/cdef...        a blob, named by its hash
//! objects/ab/cdef....obao   the inner hashes of its tree (only above 16 KiB)
//! incoming/HASH.part        what has arrived of a blob that is being fetched
//! incoming/import-N         a file that is being copied in
//! ```

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::BlobHash;
use serde::{Deserialize, Serialize};

use super::files::{make_folder, open_private, remove_if_there, sync_folder};
use super::usage::{Coming, Denied, Usage};
use super::verify;
use crate::disk::{self, DiskError};

/// The name and the size of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// BLAKE3 of its content.
    pub hash: BlobHash,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The quota does not allow it.
    #[error(
        "{wanted} bytes do not fit: {free} of the quota are left; remove blobs or raise the quota"
    )]
    Quota {
        /// Bytes wanted.
        wanted: u64,
        /// Bytes left.
        free: u64,
    },
    /// The disk is full, or would be below its reserve.
    #[error(transparent)]
    Room(#[from] DiskError),
    /// The disk became full while something was written.
    #[error(
        "the disk became full while writing {0}; what had arrived of it was removed, all that is complete is \
         intact. Make room and try again"
    )]
    DiskFull(PathBuf),
    /// There is no such blob.
    #[error("blob {0} is not in the store")]
    Missing(BlobHash),
    /// The blob is larger than the caller wants to read.
    #[error("blob {hash} has {size} bytes, more than {max}")]
    TooLarge {
        /// Which blob.
        hash: BlobHash,
        /// Its size in bytes.
        size: u64,
        /// The most that was wanted.
        max: u64,
    },
    /// The file's content is not what its name says.
    #[error("the file of blob {0} is damaged on disk")]
    Damaged(BlobHash),
    /// The file changed while it was copied.
    #[error("{0} changed while it was read")]
    Changed(PathBuf),
    /// The blob is being fetched already.
    #[error("blob {0} is being fetched already")]
    Active(BlobHash),
}

/// Turns what the system said into an error that names the file.
pub(super) fn io_error(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::DiskFull(path),
        _ => BlobError::Io {
            doing,
            path,
            source,
        },
    }
}

/// How the names of files begin that are being imported; a number follows.
const IMPORT: &str = "import-";

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    reserve_bytes: u64,
    imports: AtomicU64,
    // A mutex and no owning task: blobs are imported, fetched and served on many blocking threads,
    // and the account is touched for a few instructions. Each change is one call on it, so a poisoned
    // lock still holds a whole account.
    usage: Mutex<Usage>,
}

/// A content-addressed store in a folder. Cheap to clone; all clones are one store.
///
/// Its calls read and write files: call them on a blocking thread where they may be large.
#[derive(Debug, Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

impl BlobStore {
    /// Opens the store in `folder`, which is made where it is missing; it may hold `quota_bytes`.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Self, BlobError> {
        Self::open_beside_reserve(folder, quota_bytes, 0)
    }

    /// Opens the store likewise; it takes nothing that would leave the disk less than `reserve_bytes`.
    pub fn open_beside_reserve(
        folder: &Path,
        quota_bytes: u64,
        reserve_bytes: u64,
    ) -> Result<Self, BlobError> {
        for part in ["objects", "incoming"] {
            let path = folder.join(part);
            make_folder(&path).map_err(io_error("make the folder", &path))?;
        }
        let objects = folder.join("objects");
        let stored = stored_bytes(&objects).map_err(io_error("list", &objects))?;
        let mut usage = Usage::new(quota_bytes, stored);
        let incoming = folder.join("incoming");
        sort_incoming(&incoming, &mut usage).map_err(io_error("list", &incoming))?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                reserve_bytes,
                imports: AtomicU64::new(0),
                usage: Mutex::new(usage),
            }),
        })
    }

    pub(super) fn usage(&self) -> MutexGuard<'_, Usage> {
        self.inner
            .usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Removes what has arrived of a blob that nobody fetches now.
    pub(super) fn remove_partial(&self, hash: BlobHash) -> Result<(), BlobError> {
        let path = self.partial(hash);
        remove_if_there(&path).map_err(io_error("remove", &path))?;
        self.usage().end_fetch(hash, 0);
        Ok(())
    }

    fn object(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        let (shard, rest) = name.split_at(2);
        self.inner.folder.join("objects").join(shard).join(rest)
    }

    pub(super) fn partial(&self, hash: BlobHash) -> PathBuf {
        self.inner
            .folder
            .join("incoming")
            .join(format!("{hash}.part"))
    }

    /// Copies a file into the store.
    pub fn import_path(&self, source: &Path) -> Result<Blob, BlobError> {
        let file = File::open(source).map_err(io_error("open", source))?;
        let size = file.metadata().map_err(io_error("open", source))?.len();
        self.import(file, size, source)
    }

    /// Copies bytes into the store.
    pub fn import_bytes(&self, content: &[u8]) -> Result<Blob, BlobError> {
        self.import(content, content.len() as u64, Path::new("memory"))
    }

    fn import(&self, source: impl Read, size: u64, name: &Path) -> Result<Blob, BlobError> {
        self.make_room(Coming::Import(size))?;
        let number = self.inner.imports.fetch_add(1, Ordering::Relaxed);
        let incoming = self.inner.folder.join("incoming");
        let path = incoming.join(format!("{IMPORT}{number}"));
        let result = self.copy_in(source, size, &path, name);
        self.usage().end_import(size);
        if result.is_err() {
            // The import failed anyway, and the next start clears what is left.
            let _left_behind = remove_if_there(&path);
        }
        result
    }

    fn copy_in(
        &self,
        source: impl Read,
        size: u64,
        path: &Path,
        name: &Path,
    ) -> Result<Blob, BlobError> {
        let mut file = open_private(path).map_err(io_error("write", path))?;
        // One byte more than expected shows that the source has grown.
        let copied = io::copy(&mut source.take(size.saturating_add(1)), &mut file)
            .map_err(io_error("copy", name))?;
        if copied != size {
            return Err(BlobError::Changed(name.to_owned()));
        }
        drop(file);
        let hash = self.adopt(path, size, None)?;
        Ok(Blob { hash, size })
    }

    /// Tells whether the disk has room for something new beside its reserve.
    pub fn check_room(&self, new_bytes: u64) -> Result<(), BlobError> {
        let inner = &self.inner;
        Ok(disk::check_room(
            &inner.folder,
            inner.reserve_bytes,
            new_bytes,
        )?)
    }

    /// Reserves space for what comes in; where the quota or the disk is in the way, removes partial files that
    /// nobody works on, all but its own, and tries again.
    pub(super) fn make_room(&self, coming: Coming) -> Result<(), BlobError> {
        // Held until the space is reserved, so that two that come at a time do not both see it free.
        let mut usage = self.usage();
        match self.reserve(&mut usage, coming) {
            Err(BlobError::Quota { .. } | BlobError::Room(_)) => {}
            settled => return settled,
        }
        for hash in usage.idle_partials() {
            if !coming.is_of(hash) {
                let path = self.partial(hash);
                remove_if_there(&path).map_err(io_error("remove", &path))?;
                usage.end_fetch(hash, 0);
            }
        }
        self.reserve(&mut usage, coming)
    }

    /// Reserves space where the quota allows it and the disk has room for what is still missing of it, beside
    /// what was promised to others.
    fn reserve(&self, usage: &mut Usage, coming: Coming) -> Result<(), BlobError> {
        let arrived = |hash| length(&self.partial(hash));
        let outstanding = usage.outstanding(self.imported_so_far(), arrived);
        let missing = Usage::missing(coming, arrived);
        if let Coming::Fetch(hash, _) = coming
            && usage.is_active(hash)
        {
            return Err(BlobError::Active(hash));
        }
        self.check_room(outstanding.saturating_add(missing))?;
        usage.begin(coming).map_err(|denied| match denied {
            Denied::Quota { free } => BlobError::Quota {
                wanted: coming.bytes(),
                free,
            },
            Denied::Active(hash) => BlobError::Active(hash),
        })
    }

    /// Returns the bytes that the imports under way have written.
    fn imported_so_far(&self) -> u64 {
        let entries = fs::read_dir(self.inner.folder.join("incoming"));
        let paths = entries.into_iter().flatten().flatten();
        let is_import = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            path.extension().is_none() && name.is_some_and(|name| name.starts_with(IMPORT))
        };
        let imports = paths.map(|entry| entry.path()).filter(is_import);
        imports.fold(0, |sum, path| sum.saturating_add(length(&path)))
    }

    /// Makes a whole file in `incoming` a blob: hashes it, compares with `expected`, writes it to disk,
    /// renames it.
    pub(super) fn adopt(
        &self,
        path: &Path,
        size: u64,
        expected: Option<BlobHash>,
    ) -> Result<BlobHash, BlobError> {
        let tree_path = path.with_extension("obao");
        let adopted = self.adopt_with(path, &tree_path, size, expected);
        if adopted.is_err() {
            // It failed anyway, and the next start clears what is left.
            let _left_behind = remove_if_there(&tree_path);
        }
        adopted
    }

    fn adopt_with(
        &self,
        path: &Path,
        tree_path: &Path,
        size: u64,
        expected: Option<BlobHash>,
    ) -> Result<BlobHash, BlobError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut tree = open_private(tree_path).map_err(io_error("write", tree_path))?;
        tree.set_len(0).map_err(io_error("write", tree_path))?;
        let hash = verify::hash_file(&file, size, &mut tree).map_err(io_error("hash", path))?;
        if expected.is_some_and(|expected| expected != hash) {
            return Err(BlobError::Damaged(hash));
        }
        file.sync_all().map_err(io_error("write", path))?;
        tree.sync_all().map_err(io_error("write", tree_path))?;
        self.rename_in(path, tree_path, Blob { hash, size })?;
        Ok(hash)
    }

    fn rename_in(&self, path: &Path, tree_path: &Path, blob: Blob) -> Result<(), BlobError> {
        let object = self.object(blob.hash);
        let shard = object.parent().unwrap_or(&self.inner.folder);
        make_folder(shard).map_err(io_error("make the folder", shard))?;
        // Held over the renames, so that a blob that comes twice at a time is counted once.
        let mut usage = self.usage();
        let is_new = !object.is_file();
        let tree_object = object.with_extension("obao");
        fs::rename(tree_path, &tree_object).map_err(io_error("rename", tree_path))?;
        fs::rename(path, &object).map_err(io_error("rename", path))?;
        if is_new {
            usage.stored_one(blob.size);
        }
        drop(usage);
        sync_folder(shard).map_err(io_error("write", shard))?;
        let objects = self.inner.folder.join("objects");
        sync_folder(&objects).map_err(io_error("write", &objects))
    }

    /// Tells whether a blob is here as a whole.
    pub fn has(&self, hash: BlobHash) -> bool {
        self.object(hash).is_file()
    }

    /// Returns the file of a blob that is here. Read it only: changing it would damage the blob.
    pub fn path(&self, hash: BlobHash) -> Option<PathBuf> {
        Some(self.object(hash)).filter(|path| path.is_file())
    }

    /// Returns the size of a blob that is here, in bytes.
    pub fn size(&self, hash: BlobHash) -> Option<u64> {
        let metadata = fs::metadata(self.object(hash)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// Reads a whole blob of at most `max_bytes` into memory and checks it.
    pub fn read(&self, hash: BlobHash, max_bytes: u64) -> Result<Vec<u8>, BlobError> {
        let size = self.size(hash).ok_or(BlobError::Missing(hash))?;
        if size > max_bytes {
            return Err(BlobError::TooLarge {
                hash,
                size,
                max: max_bytes,
            });
        }
        let path = self.object(hash);
        let content = fs::read(&path).map_err(io_error("read", &path))?;
        if BlobHash::of(&content) != hash {
            return Err(BlobError::Damaged(hash));
        }
        Ok(content)
    }

    /// Opens the files of a blob that is here: its size, its content, its tree.
    pub(super) fn open_object(&self, hash: BlobHash) -> io::Result<(u64, File, File)> {
        let path = self.object(hash);
        let content = File::open(&path)?;
        let tree = File::open(path.with_extension("obao"))?;
        Ok((content.metadata()?.len(), content, tree))
    }

    /// Removes a blob; tells whether it was here.
    pub fn remove(&self, hash: BlobHash) -> Result<bool, BlobError> {
        let path = self.object(hash);
        let mut usage = self.usage();
        let Some(size) = self.size(hash) else {
            return Ok(false);
        };
        fs::remove_file(&path).map_err(io_error("remove", &path))?;
        usage.removed_one(size);
        drop(usage);
        let tree = path.with_extension("obao");
        remove_if_there(&tree).map_err(io_error("remove", &tree))?;
        Ok(true)
    }

    /// Returns all complete blobs, in no order.
    pub(super) fn objects(&self) -> io::Result<Vec<Blob>> {
        objects(&self.inner.folder.join("objects"))
    }

    /// Returns the bytes of all complete blobs.
    pub fn total_bytes(&self) -> u64 {
        self.usage().stored()
    }
}

/// Returns how long a file is; 0 where there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn stored_bytes(folder: &Path) -> io::Result<u64> {
    let sizes = objects(folder)?.into_iter().map(|blob| blob.size);
    Ok(sizes.fold(0, u64::saturating_add))
}

/// Lists the blobs of a folder; what is not named by a hash is none.
fn objects(folder: &Path) -> io::Result<Vec<Blob>> {
    let mut blobs = Vec::new();
    for shard in fs::read_dir(folder)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for object in fs::read_dir(shard.path())? {
            let object = object?;
            let (first, rest) = (shard.file_name(), object.file_name());
            let name = format!("{}{}", first.to_string_lossy(), rest.to_string_lossy());
            if let Ok(hash) = BlobHash::from_str(&name) {
                let size = object.metadata()?.len();
                blobs.push(Blob { hash, size });
            }
        }
    }
    Ok(blobs)
}

/// Keeps the partial files of an earlier run and removes its unfinished imports.
fn sort_incoming(incoming: &Path, usage: &mut Usage) -> io::Result<()> {
    for entry in fs::read_dir(incoming)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let partial = name.and_then(|name| name.strip_suffix(".part"));
        match partial.map(BlobHash::from_str) {
            Some(Ok(hash)) => usage.found_partial(hash, fs::metadata(&path)?.len()),
            _ => remove_if_there(&path)?,
        }
    }
    Ok(())
}
