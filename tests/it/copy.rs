//! Owns copies of this machine, in which a test installs what it likes, and the project's scripts, which make them.
//!
//! Never writes to the machine: a copy is an overlay over its root, and what is written lies in a folder of the
//! test's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::program::{self, Done};

/// How long a step may take; the longest packs the program.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// What `scripts/in-a-copy` ends with where there can be no copy.
const NO_COPY: i32 = 77;

/// Returns the root of the project's files.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns a temporary path as a text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is a text")
}

/// Runs one of the project's scripts to its end.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Done {
    let mut command = program::clean(repository().join("scripts").join(name));
    command.args(arguments).env("DEB_COMPRESSION", "gzip");
    program::start(command).finish((LIMIT, &format!("scripts/{name} {}", arguments.join(" "))))
}

/// A copy of this machine.
pub(crate) struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    /// Makes one, or says why there is none and the test skips.
    pub(crate) fn of_this_machine() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let copy = Self { folder };
        let tried = copy.run(&["true"]);
        if tried.code != Some(NO_COPY) {
            return Some(copy);
        }
        eprintln!("skipped: no copy of this machine: {}", tried.stderr);
        None
    }

    /// Runs a command in it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        script("in-a-copy", &[&[text(self.folder())], arguments].concat())
    }

    /// Runs a shell line in it that must succeed.
    pub(crate) fn shell(&self, line: &str) -> String {
        self.run(&["sh", "-c", line]).succeeded()
    }

    /// Returns the folder that `scripts/in-a-copy` knows it by.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the folder in which lies what differs from the machine, by its path from the root.
    pub(crate) fn changes(&self) -> PathBuf {
        self.folder().join("changes")
    }
}
