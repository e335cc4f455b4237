//! The descriptions by which Vulkan drivers make themselves known: which one, and which library.
//!
//! It must never take a driver from a place that a description merely claims: where the library
//! lies is checked with all others, in `view.rs`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Descriptions have a few hundred bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a Vulkan description is of no use.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is too long to be one.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It is not what the Vulkan loader's interface says.
    #[error("it is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It names no library, or one that nothing could open.
    #[error("it names no library: {0:?}")]
    NoLibrary(String),
}

#[derive(Deserialize)]
struct Description {
    #[serde(rename = "ICD")]
    driver: DescribedDriver,
}

#[derive(Deserialize)]
struct DescribedDriver {
    library_path: String,
}

/// Finds the description whose name starts with `stem`, in the order of the folders. Where a
/// folder has several, the one for this processor wins, then the shortest name.
pub(super) fn find(folders: &[&Path], stem: &str) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let mut names: Vec<String> = fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                name.strip_prefix(stem)
                    .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".json"))
            })
            .collect();
        names.sort_by_key(|name| (!name.contains(std::env::consts::ARCH), name.len()));
        names.first().map(|name| folder.join(name))
    })
}

/// Reads which library a description names: a bare name is looked up as any library is, and a path
/// that does not begin at the root begins at the description's folder, as the Vulkan loader takes
/// them (its `LoaderDriverInterface.md`).
pub(super) fn library(description: &Path) -> Result<String, DescriptionError> {
    let mut text = String::new();
    File::open(description)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(DescriptionError::TooLong);
    }
    let named = serde_json::from_str::<Description>(&text)?
        .driver
        .library_path;
    let end = named.rsplit('/').next().unwrap_or_default();
    if ["", ".", ".."].contains(&end) || named.contains(char::is_control) {
        return Err(DescriptionError::NoLibrary(named));
    }
    if !named.contains('/') || named.starts_with('/') {
        return Ok(named);
    }
    let folder = description.parent().unwrap_or(Path::new("/"));
    match folder.join(&named).into_os_string().into_string() {
        Ok(path) => Ok(path),
        Err(_) => Err(DescriptionError::NoLibrary(named)),
    }
}

#[cfg(test)]
mod tests;
