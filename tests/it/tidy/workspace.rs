//! Owns how tidy finds the files of the workspace.
//!
//! Never looks into what was built, nor into hidden folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// Returns every file whose name ends with `ending`, with its text, by path from the root.
pub(crate) fn files(ending: &str) -> Vec<(String, String)> {
    let root = root();
    let ours = paths().into_iter().filter(|path| path.ends_with(ending));
    let files = ours.map(|path| {
        let bytes = fs::read(root.join(&path)).expect("a file of the workspace can be read");
        (path, String::from_utf8_lossy(&bytes).into_owned())
    });
    files.collect()
}

/// Returns every Rust file.
pub(crate) fn sources() -> Vec<Source> {
    let files = files(".rs").into_iter();
    let sources: Vec<Source> = files.map(|(path, text)| Source::new(path, text)).collect();
    let has = |path: &str| sources.iter().any(|source| source.path == path);
    let sees_all = has("market/src/wire.rs") && has("tests/it/main.rs");
    assert!(sees_all, "tidy looks into the wrong folder");
    sources
}

/// Returns the paths of all files and folders from the root, with `/`.
pub(crate) fn paths() -> BTreeSet<String> {
    let root = root();
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of the workspace can be read");
        for entry in entries {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            found.insert(relative(&root, &path));
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// Returns every file with its size in bytes, by path from the root.
pub(crate) fn sizes() -> Vec<(String, u64)> {
    let root = root();
    let sized = paths().into_iter().filter_map(|path| {
        let metadata = fs::symlink_metadata(root.join(&path)).ok()?;
        metadata.is_file().then_some((path, metadata.len()))
    });
    sized.collect()
}

fn root() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.parent();
    root.expect("the tests crate lies in the workspace")
        .to_owned()
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path
        .strip_prefix(root)
        .expect("the walk starts at the root");
    inside.to_string_lossy().replace('\\', "/")
}
