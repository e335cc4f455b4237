//! Owns laying out a recorded machine: the files below `/sys` and `/proc` that a fixture describes.
//!
//! A fixture is one text, since the names of PCI devices have colons, which not every system that checks
//! the sources out can store. `== PATH` begins a file, whose text follows; `== PATH -> TARGET` is a link;
//! `== PATH hex` is a file whose bytes follow in hexadecimal; lines before the first are comments. Never
//! part of the program: tests alone use it.

use std::fs;
use std::path::{Path, PathBuf};

use market::gpu::{AdapterForm, AdapterInfo, Label};
use tempfile::TempDir;

use super::files::Files;

/// A machine below a temporary folder.
pub(crate) struct Machine {
    root: TempDir,
}

impl Machine {
    /// Lays out `fixtures/NAME.tree`.
    pub(crate) fn of(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        Self::described(&fs::read_to_string(folder.join(format!("{name}.tree"))).unwrap())
    }

    /// Lays out a description.
    pub(crate) fn described(text: &str) -> Self {
        let machine = Self {
            root: TempDir::new().unwrap(),
        };
        machine.lay_out(text);
        machine
    }

    /// Adds what a description says.
    pub(crate) fn lay_out(&self, text: &str) {
        let text = format!("\n{text}");
        for entry in text.split("\n== ").skip(1) {
            let (head, body) = entry.split_once('\n').unwrap_or((entry, ""));
            if let Some((path, target)) = head.split_once(" -> ") {
                self.link(path, target);
            } else if let Some(path) = head.strip_suffix(" hex") {
                let digits: String = body.split_whitespace().collect();
                let pairs = (0..digits.len()).step_by(2);
                let bytes: Vec<u8> = pairs
                    .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                    .collect();
                self.write(path, &bytes);
            } else {
                self.write(head, body.as_bytes());
            }
        }
    }

    /// Returns the machine's root.
    pub(crate) fn files(&self) -> Files {
        Files::below(self.root.path())
    }

    /// Writes a file, in place of one that is there.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.place(path), bytes).unwrap();
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root.path().join(path)).unwrap();
    }

    #[cfg(unix)]
    fn link(&self, path: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.place(path)).unwrap();
    }

    /// Links are of processes, which are looked at on Linux alone.
    #[cfg(not(unix))]
    fn link(&self, _path: &str, _target: &str) {}

    fn place(&self, path: &str) -> PathBuf {
        let place = self.root.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }
}

/// An adapter as the graphics interface would name it; its model number is 0x73bf.
pub(crate) fn adapter(bus: Option<&str>, vendor_id: u32, form: AdapterForm) -> AdapterInfo {
    AdapterInfo {
        name: Label::sanitized("a card"),
        vendor_id,
        device_id: 0x73bf,
        driver: Label::sanitized("a driver"),
        backend: Label::sanitized("vulkan"),
        form,
        pci_bus_id: bus.map(Label::sanitized),
    }
}
