//! Owns where logs go and how much is logged. `NIGHTSHIFT_LOG` holds filter directives such as `debug` or
//! `market_node=trace`.
//!
//! Never logs to standard output, nor onto a terminal that a screen occupies.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Mutex;

use anyhow::Context as _;
use market_node::home::Home;
use tracing_subscriber::EnvFilter;

/// The environment variable that says what is logged.
const VARIABLE: &str = "NIGHTSHIFT_LOG";

/// Where logs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// To standard error, from this level on where the environment does not say otherwise.
    Error(&'static str),
    /// To `screen.log` in the home, made anew at each start.
    File,
}

/// Starts logging for the rest of the process.
pub(crate) fn install(
    logs: Logs,
    home: impl FnOnce() -> anyhow::Result<Home>,
) -> anyhow::Result<()> {
    let filter =
        |level: &str| EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    match logs {
        Logs::Error(level) => tracing_subscriber::fmt()
            .with_env_filter(filter(level))
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .init(),
        Logs::File => {
            let path = home()?.path().join("screen.log");
            let file =
                File::create(&path).with_context(|| format!("creating {}", path.display()))?;
            tracing_subscriber::fmt()
                .with_env_filter(filter("info"))
                .with_writer(Mutex::new(file)) // The subscriber shares one file among all threads.
                .with_ansi(false)
                .init();
        }
    }
    Ok(())
}
