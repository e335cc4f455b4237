//! The machine's own dynamic loader, asked which libraries a file needs.
//!
//! It must never believe more than it can read: every line of the answer has to have one of the
//! known shapes, and the answer is bounded in size and in time. No shell, no variables: the loader
//! is asked as it will be when the worker starts. Listing runs no code of the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A program of a thousand libraries is answered in less.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Why the loader gave no list.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It could not be run or read.
    #[error("it does not run: {0}")]
    Run(#[from] io::Error),
    /// It took too long.
    #[error("it gave no answer within {0:?}")]
    TimedOut(Duration),
    /// It refused.
    #[error("it failed ({0}), as it does with a damaged file or a missing library")]
    Failed(std::process::ExitStatus),
    /// It answered something else than a list.
    #[error("its answer is no list of libraries: {0:?}")]
    Nonsense(String),
    /// A library is not installed.
    #[error("it does not find {0:?}")]
    NotFound(String),
}

/// A library in the loader's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The name that it was looked for by; for the loader itself, its path.
    pub(super) name: String,
    /// Where it was found: an absolute path.
    pub(super) path: PathBuf,
}

/// What the loader is asked about.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// The loader.
    pub(super) loader: &'a Path,
    /// A library to open with the file: so the loader tells where it finds a bare name.
    pub(super) preload: Option<&'a str>,
    /// The program or library.
    pub(super) file: &'a Path,
    /// What the loader gets as its standard input, by which a file without a name can be called.
    pub(super) handle: File,
    /// How long it may take.
    pub(super) patience: Duration,
}

/// Asks the loader for the list.
pub(super) fn ask(question: Question<'_>) -> Result<Vec<Found>, AskError> {
    let mut command = Command::new(question.loader);
    if let Some(name) = question.preload {
        command.args(["--preload", name]);
    }
    let mut child = command
        .arg("--list")
        .arg(question.file)
        .env_clear()
        .stdin(question.handle)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let answer = read_answer(&mut child, question.patience);
    if answer.is_err() {
        // It may have ended by itself meanwhile, which is as good.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let answer = answer?;
    if !status.success() {
        return Err(AskError::Failed(status));
    }
    parse(&answer)
}

/// Reads the whole answer, on a thread of its own so that the wait can end.
fn read_answer(child: &mut Child, patience: Duration) -> Result<String, AskError> {
    let output = child
        .stdout
        .take()
        .expect("the output was asked for as a pipe");
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("loader-answer".to_owned())
        .spawn(move || {
            let mut answer = Vec::new();
            let read = output.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut answer);
            // Nobody listens any more where the time ran out.
            let _ = tell.send(read.map(|_| answer));
        })?;
    let answer = told
        .recv_timeout(patience)
        .map_err(|_| AskError::TimedOut(patience))??;
    if answer.len() as u64 > MAX_ANSWER_BYTES {
        return Err(AskError::Nonsense(
            "more than a quarter of a megabyte".to_owned(),
        ));
    }
    String::from_utf8(answer).map_err(|_| AskError::Nonsense("no UTF-8".to_owned()))
}

/// Reads an answer line by line. Both glibc's and musl's loaders write `name => path (address)`
/// for a library, `path (address)` for themselves; glibc also names what the kernel maps.
pub(super) fn parse(answer: &str) -> Result<Vec<Found>, AskError> {
    let lines = answer.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && *line != "statically linked")
        .filter_map(|line| parse_line(line).transpose())
        .collect()
}

fn parse_line(line: &str) -> Result<Option<Found>, AskError> {
    let nonsense = || AskError::Nonsense(line.chars().take(200).collect());
    if let Some(name) = line.strip_suffix(" => not found") {
        return Err(AskError::NotFound(name.chars().take(200).collect()));
    }
    let place = without_address(line).ok_or_else(nonsense)?;
    let (name, path) = place.split_once(" => ").unwrap_or((place, place));
    if !path.starts_with('/') {
        // The kernel maps this one by itself; it is no file.
        let mapped = ["linux-vdso.so.1", "linux-gate.so.1"].contains(&place);
        return if mapped { Ok(None) } else { Err(nonsense()) };
    }
    Ok(Some(Found {
        name: name.to_owned(),
        path: PathBuf::from(path),
    }))
}

/// Takes the address at the end off, which each line has.
fn without_address(line: &str) -> Option<&str> {
    let (place, address) = line.strip_suffix(')')?.rsplit_once(" (0x")?;
    let sensible = !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit());
    sensible.then_some(place)
}

#[cfg(test)]
mod tests;
