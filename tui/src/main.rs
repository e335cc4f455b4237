//! Owns the start of the program and its exit code.
//!
//! Never starts a thread or a runtime itself: a confined worker must still be alone in its process when it
//! takes over.

mod awake;
mod cli;
mod commands;
mod exit;
mod filter;
#[cfg(test)]
mod fixture;
mod listing;
mod logs;
mod memory;
mod output;
mod passphrase;
mod picture;
mod plot;
mod privacy;
mod quiet;
mod readiness;
mod render_run;
mod run_name;
mod running;
mod screen;
mod service;
mod signing;
mod table;
mod treasury;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::worker::intercept(std::env::args_os()).unwrap_or_else(|| {
        quiet::hush_vulkan_loader();
        cli::run()
    })
}
