//! Owns a disk in memory for the tests of what lies on logs: it can be cut off at any operation and then keeps any
//! part of what was not waited for, torn and in any order.
//!
//! Never kinder than a real one: a file's name, its length and each piece of its content reach the disk by
//! themselves, unless a wait for it came back. A barrier can be left out, as if the program did not wait there.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::files::{Barrier, Files, LogFile};

/// Bytes that reach the disk together.
const SECTOR_BYTES: usize = 32;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is killed: what it wrote is still there, on its way to the disk.
    Kill,
    /// The power fails.
    PowerCut,
}

/// Draws numbers; the same seed gives the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `bound`. The generator is SplitMix64 (Steele, Lea, Flood 2014).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

/// A change of a file's content that is on its way to the disk.
#[derive(Debug, Clone)]
enum Pending {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    /// What a process sees.
    seen: Vec<u8>,
    /// What is on the disk for sure.
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

/// A change of a folder that is on its way to the disk.
#[derive(Debug, Clone)]
enum Naming {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Folder {
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Naming>,
}

/// Lets processes live and die on simulated disks: the first is ended before each of its operations, the second, which
/// finds what the first left, before each of its first few, and a third must find all that was acknowledged. `session`
/// is the life of one: it tells what was lost, and keeps in its facts what it acknowledged. Returns how many disks
/// were tried.
///
/// # Errors
/// What a session missed, and after which ends.
pub(crate) fn explore<F: Default>(
    without: Option<Barrier>,
    session: impl Fn(&SimulatedFiles, &mut F) -> Result<(), String>,
) -> Result<u64, String> {
    let root = Path::new("/home");
    let disk = SimulatedFiles::new(root, without, 0);
    disk.start(u64::MAX);
    session(&disk, &mut F::default())?;
    let operations = u64::MAX - disk.left();
    let mut tried = 0;
    for first in 0..=operations {
        for (how, second, seed) in ENDS.iter().flat_map(|how| {
            (0..SECOND_OPERATIONS)
                .flat_map(move |second| (0..SEEDS).map(move |seed| (*how, second, seed)))
        }) {
            let disk = SimulatedFiles::new(root, without, seed);
            let mut facts = F::default();
            let lives = [(first, how), (second, End::PowerCut), (u64::MAX, End::Kill)];
            for (operations, how) in lives {
                disk.start(operations);
                session(&disk, &mut facts).map_err(|lost| {
                    format!("{lost}; the first process ended by {how:?} before operation {first}, the second before \
                             {second}, seed {seed}")
                })?;
                disk.end(how);
            }
            tried += 1;
        }
    }
    Ok(tried)
}

const ENDS: [End; 2] = [End::Kill, End::PowerCut];

/// Operations of the second process before each of which it is ended: opening, and the first writes.
const SECOND_OPERATIONS: u64 = 10;

/// Disks that are tried of each kind: each keeps another part of what was not waited for.
const SEEDS: u64 = 6;

/// What is in the memory of the simulated machine and on its disk.
#[derive(Debug, Clone)]
struct Machine {
    contents: Vec<Content>,
    folders: BTreeMap<PathBuf, Folder>,
    without: Option<Barrier>,
    /// Operations that the process still gets to do.
    left: u64,
    is_over: bool,
    draw: Draw,
}

/// The simulated disk. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedFiles(Arc<Mutex<Machine>>);

impl SimulatedFiles {
    /// A disk with nothing but the folder `root`.
    pub(crate) fn new(root: &Path, without: Option<Barrier>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Machine {
            contents: Vec::new(),
            folders: BTreeMap::from([(root.to_path_buf(), Folder::default())]),
            without,
            left: u64::MAX,
            is_over: false,
            draw: Draw::new(seed),
        })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// Starts a process that does so many operations; the one after that fails, and all later ones.
    pub(crate) fn start(&self, operations: u64) {
        self.with(|machine| (machine.left, machine.is_over) = (operations, false));
    }

    /// Tells whether the process has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.with(|machine| machine.is_over)
    }

    /// Returns how many operations are left of those that the process got.
    pub(crate) fn left(&self) -> u64 {
        self.with(|machine| machine.left)
    }

    /// Ends the process.
    pub(crate) fn end(&self, how: End) {
        if how == End::PowerCut {
            self.with(Machine::cut_power);
        }
    }
}

impl Machine {
    /// Counts an operation, unless the process has ended.
    fn operate(&mut self) -> io::Result<()> {
        self.is_over |= self.left == 0;
        if self.is_over {
            return Err(io::Error::other("the process has ended"));
        }
        self.left -= 1;
        Ok(())
    }

    /// Keeps what is durable, and of the rest whatever the draw says.
    fn cut_power(&mut self) {
        // Nothing, anything, or all.
        let share = [0, 30, 70, 100][self.draw.index(4)];
        let draw = &mut self.draw;
        for content in &mut self.contents {
            let mut kept = content.durable.clone();
            for pending in &content.pending {
                keep(&mut kept, pending, (share, draw));
            }
            *content = Content {
                seen: kept.clone(),
                durable: kept,
                pending: Vec::new(),
            };
        }
        let roots: Vec<PathBuf> = self.folders.keys().take(1).cloned().collect();
        for folder in self.folders.values_mut() {
            let mut kept = folder.durable.clone();
            for naming in &folder.pending {
                if draw.below(100) < share {
                    naming.apply(&mut kept);
                }
            }
            *folder = Folder {
                seen: kept.clone(),
                durable: kept,
                pending: Vec::new(),
            };
        }
        self.forget_unnamed(&roots);
    }

    /// Drops folders whose names did not reach the disk.
    fn forget_unnamed(&mut self, roots: &[PathBuf]) {
        let paths: Vec<PathBuf> = self.folders.keys().cloned().collect();
        for path in paths {
            let is_named = path
                .parent()
                .and_then(|parent| self.folders.get(parent))
                .is_some_and(|parent| parent.seen.contains_key(&name(&path)));
            if !is_named && !roots.contains(&path) {
                self.folders.remove(&path);
            }
        }
    }

    fn folder(&mut self, folder: &Path) -> io::Result<&mut Folder> {
        let missing = || io::Error::from(ErrorKind::NotFound);
        self.folders.get_mut(folder).ok_or_else(missing)
    }

    fn rename_in(&mut self, folder: &Path, naming: Naming) -> io::Result<()> {
        let folder = self.folder(folder)?;
        naming.apply(&mut folder.seen);
        folder.pending.push(naming);
        Ok(())
    }

    fn node(&mut self, file: &Path) -> io::Result<usize> {
        let folder = self.folder(file.parent().unwrap())?;
        let node = folder.seen.get(&name(file)).copied();
        node.ok_or_else(|| io::Error::from(ErrorKind::NotFound))
    }

    fn write(&mut self, node: usize, bytes: &[u8]) {
        let content = &mut self.contents[node];
        let offset = content.seen.len();
        content.seen.extend_from_slice(bytes);
        let bytes = bytes.to_vec();
        content.pending.push(Pending::Bytes { offset, bytes });
    }

    fn cut(&mut self, node: usize, length: usize) {
        let content = &mut self.contents[node];
        content.seen.resize(length, 0);
        content.pending.push(Pending::Length(length));
    }
}

/// Puts a part of a pending change on the disk.
fn keep(kept: &mut Vec<u8>, pending: &Pending, (share, draw): (u64, &mut Draw)) {
    match pending {
        Pending::Length(length) => {
            if draw.below(100) < share {
                kept.resize(*length, 0);
            }
        }
        Pending::Bytes { offset, bytes } => {
            for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                if draw.below(100) < share {
                    let start = offset + number * SECTOR_BYTES;
                    let end = start + sector.len();
                    kept.resize(kept.len().max(end), 0);
                    kept[start..end].copy_from_slice(sector);
                }
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Files for SimulatedFiles {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.with(|machine| {
            if machine.folders.contains_key(folder) {
                return Ok(());
            }
            let missing = folder.ancestors();
            let missing = missing.take_while(|folder| !machine.folders.contains_key(*folder));
            let missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
            for folder in missing.into_iter().rev() {
                machine.operate()?;
                let naming = Naming::Link(name(&folder), usize::MAX);
                machine.rename_in(folder.parent().unwrap(), naming)?;
                machine.folders.insert(folder, Folder::default());
            }
            Ok(())
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.with(|machine| Ok(machine.folder(folder)?.seen.keys().cloned().collect()))
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.with(|machine| {
            let node = machine.node(file)?;
            Ok(machine.contents[node].seen.clone())
        })
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn LogFile>> {
        let node = self.with(|machine| {
            machine.operate()?;
            if let Ok(node) = machine.node(file) {
                machine.cut(node, 0);
                return Ok::<_, io::Error>(node);
            }
            let node = machine.contents.len();
            machine.contents.push(Content::default());
            machine.rename_in(file.parent().unwrap(), Naming::Link(name(file), node))?;
            Ok(node)
        })?;
        Ok(Box::new(SimulatedFile(self.clone(), node)))
    }

    fn open(&self, file: &Path, length: u64) -> io::Result<Box<dyn LogFile>> {
        let node = self.with(|machine| machine.node(file))?;
        let mut opened = SimulatedFile(self.clone(), node);
        opened.cut(length)?;
        Ok(Box::new(opened))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|machine| {
            machine.operate()?;
            let node = machine.node(from)?;
            let naming = Naming::Rename(name(from), name(to), node);
            machine.rename_in(from.parent().unwrap(), naming)
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.with(|machine| {
            machine.operate()?;
            machine.rename_in(file.parent().unwrap(), Naming::Unlink(name(file)))
        })
    }

    fn sync_folder(&self, folder: &Path, barrier: Barrier) -> io::Result<()> {
        self.with(|machine| {
            machine.operate()?;
            let is_left_out = machine.without == Some(barrier);
            if let Some(folder) = machine.folders.get_mut(folder).filter(|_| !is_left_out) {
                folder.durable.clone_from(&folder.seen);
                folder.pending.clear();
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
struct SimulatedFile(SimulatedFiles, usize);

impl LogFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let node = self.1;
        self.0.with(|machine| {
            let was_over = machine.is_over;
            let operated = machine.operate();
            // A process that is killed while it writes has written a part.
            let length = match operated {
                Ok(()) => bytes.len(),
                Err(_) if was_over => 0,
                Err(_) => machine.draw.index(bytes.len()),
            };
            machine.write(node, &bytes[..length]);
            operated
        })
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        let node = self.1;
        self.0.with(|machine| {
            machine.operate()?;
            machine.cut(node, length);
            Ok(())
        })
    }

    fn sync(&mut self, barrier: Barrier) -> io::Result<()> {
        let node = self.1;
        self.0.with(|machine| {
            machine.operate()?;
            if machine.without != Some(barrier) {
                let content = &mut machine.contents[node];
                content.durable.clone_from(&content.seen);
                content.pending.clear();
            }
            Ok(())
        })
    }
}
