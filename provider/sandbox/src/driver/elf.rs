//! The header of a program or shared library: whether it is one, and which loader it asks for.
//!
//! It must never trust a size or a place that it reads: each is checked against a bound before
//! anything is read there, and a file that does not fit is an error in words.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
/// The longest path that Linux opens.
const MAX_PATH_BYTES: u64 = 4096;
const MAX_SEGMENTS: u16 = 512;
/// The segment that names the loader.
const PT_INTERP: u32 = 3;

/// Why a file is no program or library of this machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum ElfError {
    /// It could not be read, or ends too early.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("{0}")]
    Shape(&'static str),
}

/// Reads which loader the file asks for; `None` for one that asks for none, as a static program
/// does and most shared libraries do.
pub(super) fn interpreter(file: &mut (impl Read + Seek)) -> Result<Option<PathBuf>, ElfError> {
    let mut header = [0; HEADER_BYTES];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut header)?;
    let (at, count) = segments(&header)?;
    for index in 0..count {
        let place = at.checked_add(u64::from(index) * SEGMENT_BYTES as u64);
        let mut segment = [0; SEGMENT_BYTES];
        file.seek(SeekFrom::Start(
            place.ok_or(ElfError::Shape("its segments lie nowhere"))?,
        ))?;
        file.read_exact(&mut segment)?;
        if u32::from_le_bytes(bytes(&segment, 0)) == PT_INTERP {
            return named_loader(file, &segment).map(Some);
        }
    }
    Ok(None)
}

/// Checks that `path` is a regular file with the header of a program or library.
pub(super) fn check(path: &Path) -> Result<(), ElfError> {
    // Looked at before it is opened: opening a device or a pipe may wait, or do something.
    if !std::fs::metadata(path)?.is_file() {
        return Err(ElfError::Shape("it is no file"));
    }
    let mut header = [0; HEADER_BYTES];
    File::open(path)?.read_exact(&mut header)?;
    segments(&header).map(drop)
}

/// Checks the header; returns where the table of segments begins and how many there are.
fn segments(header: &[u8; HEADER_BYTES]) -> Result<(u64, u16), ElfError> {
    let [magic @ .., class, order] = bytes::<6>(header, 0);
    if magic != *b"\x7fELF" {
        return Err(ElfError::Shape("it is no ELF file"));
    }
    let machine = u16::from_le_bytes(bytes(header, 18));
    if (class, order) != (2, 1) || Some(machine) != this_machine() {
        return Err(ElfError::Shape("it is for another kind of processor"));
    }
    let (size, count) = (
        u16::from_le_bytes(bytes(header, 54)),
        u16::from_le_bytes(bytes(header, 56)),
    );
    if usize::from(size) != SEGMENT_BYTES || count > MAX_SEGMENTS {
        return Err(ElfError::Shape("its table of segments is malformed"));
    }
    Ok((u64::from_le_bytes(bytes(header, 32)), count))
}

/// The number by which ELF files name this processor; `None` where this is a system that has none.
fn this_machine() -> Option<u16> {
    match std::env::consts::ARCH {
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv64" => Some(243),
        _ => None,
    }
}

fn named_loader(
    file: &mut (impl Read + Seek),
    segment: &[u8; SEGMENT_BYTES],
) -> Result<PathBuf, ElfError> {
    let length = u64::from_le_bytes(bytes(segment, 32));
    if !(2..=MAX_PATH_BYTES).contains(&length) {
        return Err(ElfError::Shape(
            "the name of its loader has no sensible length",
        ));
    }
    file.seek(SeekFrom::Start(u64::from_le_bytes(bytes(segment, 8))))?;
    let mut name = Vec::new();
    file.take(length).read_to_end(&mut name)?;
    let complete = name.len() as u64 == length && name.pop() == Some(0);
    match String::from_utf8(name) {
        Ok(name) if complete && name.starts_with('/') && !name.contains('\0') => {
            Ok(PathBuf::from(name))
        }
        _ => Err(ElfError::Shape(
            "the name of its loader is no absolute path",
        )),
    }
}

/// The `N` bytes at `at`, which lie within the block by the callers' constants.
fn bytes<const N: usize>(block: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&block[at..at + N]);
    found
}

#[cfg(test)]
mod tests;
