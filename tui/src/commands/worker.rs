//! Owns the hidden `nightshift worker`: what a confined job runs in.
//!
//! Never reached through the command line's parser: a worker must be alone in its process, and quick.

use std::ffi::OsString;
use std::process::ExitCode;

/// Lives the life of a worker where the first argument says so; otherwise `None`.
pub(crate) fn intercept(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let is_worker = arguments.nth(1)? == provider::worker::WORKER_COMMAND;
    is_worker.then(|| provider::worker::main(arguments))
}
