//! The least file view: a profile's libraries, found one by one, with every link on the way.
//!
//! It must never list a folder of libraries, nor a file outside the folders in which systems
//! install them, whatever the loader answers. It runs in the agent, before a worker exists.
//!
//! ```text
//!  program ─PT_INTERP─► loader --list ─► /lib/x86_64-linux-gnu/libvulkan.so.1
//!                                          │ walk, name by name
//!            link /lib ─► usr/lib  ◄───────┤
//!            link …/libvulkan.so.1 ◄───────┤
//!            file /usr/lib/x86_64-linux-gnu/libvulkan.so.1.3.239
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::elf::{self, ElfError};
use super::loader::{self, AskError, Found, Question};
use super::{
    DriverError, DriverProfile, LibraryRoot, PathLink, Presence, Rights, SystemPath, Text,
};
use crate::config::WorkerProgram;

/// Where systems install libraries; what lies elsewhere may be anything, and is not shown.
const LIBRARY_HOMES: [&str; 6] = ["/usr", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store"];
/// More links than this on one way is a circle, as for the kernel.
const MAX_LINKS: usize = 40;
/// More files than this is no least view.
const MAX_FILES: usize = 512;

/// Listing takes milliseconds; a machine that is busy or reads from a slow disk may take long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why it cannot be told which libraries a worker needs.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file is missing, cannot be read, or is no program or library.
    #[error("{} is no program or library that this machine can load: {cause}", .file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The program has no loader, so it can open no driver.
    #[error("{} is linked statically, so it can open no driver; use one that is not", .program.display())]
    Static {
        /// The program.
        program: PathBuf,
    },
    /// The loader gave no usable list.
    #[error("the loader {} was asked what {} needs: {cause}", .loader.display(), .file.display())]
    Loader {
        /// The loader.
        loader: PathBuf,
        /// The file it was asked about.
        file: PathBuf,
        /// What went wrong.
        cause: String,
    },
    /// A library is not installed.
    #[error("the library {name} is not installed")]
    NotInstalled {
        /// Its name.
        name: String,
    },
    /// A library lies where no system installs them.
    #[error(
        "{} lies outside of {}, where libraries are installed, so it is not shown to a worker",
        .file.display(), LIBRARY_HOMES.join(", ")
    )]
    Outside {
        /// The file.
        file: PathBuf,
    },
    /// A path cannot be followed to its end.
    #[error("{} cannot be followed: {source}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The list is too long.
    #[error("more than {MAX_FILES} libraries are needed, which no driver does")]
    TooMany,
}

impl DriverProfile {
    /// Finds the libraries that `program` needs with this driver, by asking the loader that the
    /// program names. What it returns lists every single file and link and nothing else, and is
    /// right until the machine's libraries are updated; each launch does this by itself.
    ///
    /// # Errors
    /// [`DriverError::Libraries`]: a file is missing, or the loader's answer is of no use.
    pub fn for_program(&self, program: &WorkerProgram) -> Result<Self, DriverError> {
        let found = self
            .found(program)
            .map_err(|source| DriverError::Libraries {
                driver: self.driver,
                source,
            })?;
        Ok(Self {
            libraries: Vec::new(),
            paths: found.files.into_values().collect(),
            links: found.links.into_values().collect(),
            ..self.clone()
        })
    }

    fn found(&self, program: &WorkerProgram) -> Result<View, LibraryError> {
        let mut view = View::new(LIBRARY_HOMES.map(PathBuf::from).to_vec());
        for entry in &self.paths {
            view.show_entry(entry)?;
        }
        for link in &self.links {
            view.links.entry(link.path.clone()).or_insert(link.clone());
        }
        if self.libraries.is_empty() {
            return Ok(view);
        }
        let mut program = Program::open(&program.path)?;
        for root in &self.libraries {
            match root {
                LibraryRoot::Program => view.show_program(&mut program)?,
                LibraryRoot::Opened { name, reason } => {
                    view.show_opened(&mut program, name, reason)?;
                }
                LibraryRoot::Family {
                    beside,
                    prefix,
                    except,
                    reason,
                } => {
                    let one = program.locate(beside)?;
                    view.show_family(&one, prefix, except, reason)?;
                }
            }
        }
        Ok(view)
    }
}

/// The worker program, by a name that the loader can open.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    file: File,
    loader: Option<PathBuf>,
}

impl Program {
    fn open(path: &Path) -> Result<Self, LibraryError> {
        let mut file = File::open(path).map_err(|error| unfit(path, &error.into()))?;
        let loader = elf::interpreter(&mut file).map_err(|error| unfit(path, &error))?;
        // `/proc/self` means someone else in the loader's process. Where the program was replaced
        // on disk, so that no name leads to it, the loader gets it as its standard input.
        let path = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from("/proc/self/fd/0"));
        Ok(Self { path, file, loader })
    }

    /// Asks the program's loader what `file` needs.
    fn ask(&self, preload: Option<&str>, file: &Path) -> Result<Vec<Found>, LibraryError> {
        let loader = self.loader.as_deref().ok_or_else(|| LibraryError::Static {
            program: self.path.clone(),
        })?;
        let failed = |cause: &AskError| LibraryError::Loader {
            loader: loader.to_owned(),
            file: file.to_owned(),
            cause: cause.to_string(),
        };
        let handle = self
            .file
            .try_clone()
            .map_err(|error| failed(&error.into()))?;
        loader::ask(Question {
            loader,
            preload,
            file,
            handle,
            patience: PATIENCE,
        })
        .map_err(|error| failed(&error))
    }

    /// Finds the library that a name leads to when the program opens it.
    fn locate(&self, name: &str) -> Result<PathBuf, LibraryError> {
        let missing = || LibraryError::NotInstalled {
            name: name.to_owned(),
        };
        if name.starts_with('/') {
            return Ok(PathBuf::from(name));
        }
        // The loader would take either as the end of the name, or the whole for a path.
        if name.is_empty() || name.contains([' ', ':', '/']) {
            return Err(missing());
        }
        let answer = self.ask(Some(name), &self.path)?;
        let found = answer.into_iter().find(|found| found.name == name);
        found.map(|found| found.path).ok_or_else(missing)
    }
}

/// Files and links by their paths, so that each appears once, with the first reason.
#[derive(Debug)]
struct View {
    homes: Vec<PathBuf>,
    files: BTreeMap<PathBuf, SystemPath>,
    links: BTreeMap<PathBuf, PathLink>,
}

impl View {
    /// A view of nothing, whose libraries may lie below `homes`.
    fn new(homes: Vec<PathBuf>) -> Self {
        Self {
            homes,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    /// Shows an entry that the profile has by itself. What is missing is left for the launch,
    /// which knows what to do without it.
    fn show_entry(&mut self, entry: &SystemPath) -> Result<(), LibraryError> {
        let mut shown = entry.clone();
        if fs::symlink_metadata(&entry.path).is_ok() {
            shown.path = self.follow(&entry.path, &entry.reason)?;
        }
        self.files.entry(shown.path.clone()).or_insert(shown);
        Ok(())
    }

    fn show_program(&mut self, program: &mut Program) -> Result<(), LibraryError> {
        let Some(loader) = program.loader.clone() else {
            return Ok(());
        };
        let answer = program.ask(None, &program.path)?;
        let linked = Text::from("the worker program is linked with it");
        let loads = Text::from("the loader that the worker program names");
        for found in answer {
            let reason = if found.path == loader {
                &loads
            } else {
                &linked
            };
            self.show_library(&found.path, reason)?;
        }
        self.show_library(&loader, &loads)?;
        self.show_entry(&loader_table(&loader))
    }

    fn show_opened(
        &mut self,
        program: &mut Program,
        name: &str,
        reason: &Text,
    ) -> Result<(), LibraryError> {
        let path = program.locate(name)?;
        self.show_library(&path, reason)?;
        let short = path.file_name().unwrap_or_default().to_string_lossy();
        let reason = Text::from(format!("needed by {short}"));
        for found in program.ask(None, &path)? {
            self.show_library(&found.path, &reason)?;
        }
        Ok(())
    }

    /// Shows the libraries beside `one` that have its version; what they need in turn is what the
    /// package's other libraries are linked with.
    fn show_family(
        &mut self,
        one: &Path,
        prefix: &str,
        except: &[Text],
        reason: &Text,
    ) -> Result<(), LibraryError> {
        let failed = |source| LibraryError::Path {
            path: one.to_owned(),
            source,
        };
        let file = fs::canonicalize(one).map_err(failed)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let version = name.split_once(".so.").map(|(_, version)| version);
        let (Some(version), Some(folder)) = (version, file.parent()) else {
            return Err(failed(io::Error::other("its name carries no version")));
        };
        let ending = format!(".so.{version}");
        for entry in fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let left_out = except.iter().any(|start| name.starts_with(start.as_ref()));
            if name.starts_with(prefix) && name.ends_with(&ending) && !left_out {
                self.show_library(&folder.join(name), reason)?;
            }
        }
        Ok(())
    }

    fn show_library(&mut self, path: &Path, reason: &Text) -> Result<(), LibraryError> {
        let file = self.follow(path, reason)?;
        if !self.homes.iter().any(|home| file.starts_with(home)) {
            return Err(LibraryError::Outside { file });
        }
        elf::check(&file).map_err(|error| unfit(&file, &error))?;
        if self.files.len() >= MAX_FILES {
            return Err(LibraryError::TooMany);
        }
        self.files
            .entry(file)
            .or_insert_with_key(|file| SystemPath {
                path: file.clone(),
                rights: Rights::Library,
                presence: Presence::Required,
                reason: reason.clone(),
            });
        Ok(())
    }

    /// Follows `path` to the file that it leads to, and shows the links on the way.
    fn follow(&mut self, path: &Path, reason: &Text) -> Result<PathBuf, LibraryError> {
        let (links, file) = walk(path).map_err(|source| LibraryError::Path {
            path: path.to_owned(),
            source,
        })?;
        for (path, target) in links {
            self.links.entry(path).or_insert_with_key(|path| PathLink {
                path: path.clone(),
                target,
                reason: Cow::clone(reason),
            });
        }
        Ok(file)
    }
}

/// What a loader reads before it looks for libraries: glibc's a table of all that are installed,
/// musl's a list of folders, in a file that is called as the loader.
fn loader_table(loader: &Path) -> SystemPath {
    let name = loader.file_name().unwrap_or_default().to_string_lossy();
    let musl = name.strip_prefix("ld-musl-");
    let kind = musl
        .and_then(|rest| rest.split_once(".so"))
        .map(|(kind, _)| kind);
    let path = kind.map_or_else(
        || "/etc/ld.so.cache".to_owned(),
        |kind| format!("/etc/ld-musl-{kind}.path"),
    );
    SystemPath {
        path: PathBuf::from(path),
        rights: Rights::Data,
        presence: Presence::WhereFound,
        reason: "where the loader looks up which folder has a library".into(),
    }
}

fn unfit(file: &Path, cause: &ElfError) -> LibraryError {
    LibraryError::Unfit {
        file: file.to_owned(),
        cause: cause.to_string(),
    }
}

/// Follows an absolute path name by name; returns the links on the way, each with what it says,
/// and where it ends. No link lies before the last name of any path that it returns.
fn walk(path: &Path) -> io::Result<(Vec<(PathBuf, PathBuf)>, PathBuf)> {
    if !path.is_absolute() {
        return Err(io::Error::other("the path is not absolute"));
    }
    let mut left: Vec<PathBuf> = Vec::new();
    put_before(&mut left, path);
    let (mut at, mut links) = (PathBuf::new(), Vec::new());
    while let Some(name) = left.pop() {
        match name.components().next() {
            Some(Component::ParentDir) => drop(at.pop()),
            Some(Component::Normal(_)) => {
                let next = at.join(&name);
                if !fs::symlink_metadata(&next)?.is_symlink() {
                    at = next;
                    continue;
                }
                if links.len() == MAX_LINKS {
                    return Err(io::Error::other("there are too many links"));
                }
                let target = fs::read_link(&next)?;
                put_before(&mut left, &target);
                links.push((next, target));
            }
            // The root itself, from which an absolute path or link starts anew.
            Some(Component::RootDir | Component::Prefix(_)) => at = name,
            Some(Component::CurDir) | None => {}
        }
    }
    Ok((links, at))
}

/// Puts the names of `path` before what is left; the next one is the last of the list.
fn put_before(left: &mut Vec<PathBuf>, path: &Path) {
    let names = path.components().rev();
    left.extend(names.map(|name| PathBuf::from(name.as_os_str())));
}

#[cfg(test)]
mod tests;
