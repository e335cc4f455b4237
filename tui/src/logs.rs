//! Owns where logs go and how much is logged: the home's rotated file for a node, standard error for the rest.
//! `NIGHTSHIFT_LOG` holds filter directives such as `debug` or `market_node=trace`.
//!
//! Never logs to standard output, nor onto a terminal that a screen occupies.

mod rotation;

use std::io::{self, IsTerminal};
use std::sync::Mutex;

use anyhow::Context as _;
use clap::ValueEnum;
use market_node::config::{LogSettings, Settings};
use market_node::home::Home;
use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::rotation::RotatingFile;
use crate::cli::FOR_ALL;

/// The environment variable that says what is logged.
const VARIABLE: &str = "NIGHTSHIFT_LOG";

/// What libraries say less of at every level: that a node is alone is said by `status` and `doctor`, in words.
const QUIET: &str = "libp2p_kad=error";

/// The crates whose debug and trace events a person asks for with a level; others then stay at `info`.
const OWN_CRATES: &[&str] = &[
    "nightshift",
    "market",
    "market_node",
    "matching",
    "gpu_probe",
    "throughput_proof",
    "provider",
    "sandbox",
    "engine",
    "consumer",
];

/// Where logs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// A command that ends by itself: warnings, to standard error.
    Brief,
    /// A node: to the file `logs/nightshift.log` of the home, and to standard error, where a terminal gets
    /// warnings only.
    Node,
    /// A screen: to the same file alone.
    Screen,
}

/// From which level on events are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// What is broken.
    Error,
    /// What somebody should act on.
    Warn,
    /// What a person can see happen.
    Info,
    /// Odd paths.
    Debug,
    /// Every packet.
    Trace,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line says about logs.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct LogFlags {
    /// Log from this level on: error, warn, info, debug, trace [default: log.level for a node, else warn]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        hide_possible_values = true,
        help_heading = FOR_ALL
    )]
    log_level: Option<Level>,
    /// Write logs as text, or as json with one object a line [default: log.format for a node, else text]
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        hide_possible_values = true,
        help_heading = FOR_ALL
    )]
    log_format: Option<Format>,
}

/// Starts logging for the rest of the process.
pub(crate) fn install(
    logs: Logs,
    flags: LogFlags,
    home: impl FnOnce() -> anyhow::Result<Home>,
) -> anyhow::Result<()> {
    let registry = match logs {
        Logs::Brief => {
            let level = flags.log_level.unwrap_or(Level::Warn);
            let format = flags.log_format.unwrap_or(Format::Text);
            tracing_subscriber::registry().with(vec![to_error(format, filter(flags, level)?)])
        }
        Logs::Node | Logs::Screen => {
            let home = home()?;
            let settings = Settings::load(&home)?.config().log.clone();
            let level = chosen(flags.log_level, &settings.level)?;
            let format = chosen(flags.log_format, &settings.format)?;
            let file = Mutex::new(open(&home, &settings)?); // All threads share one file.
            let mut layers = vec![layer(format, Ink::Plain, file, filter(flags, level)?)];
            if logs == Logs::Node {
                // A service manager or a pipe gets everything; a person at a terminal what needs acting on.
                let filter = match io::stderr().is_terminal() && flags.log_level.is_none() {
                    true => EnvFilter::new(directives(Level::Warn)),
                    false => filter(flags, level)?,
                };
                layers.push(to_error(format, filter));
            }
            tracing_subscriber::registry().with(layers)
        }
    };
    registry.try_init().context("starting the log")
}

/// Opens the home's log file.
fn open(home: &Home, settings: &LogSettings) -> anyhow::Result<RotatingFile> {
    let path = home.folder("logs")?.join("nightshift.log");
    let limit = u64::from(settings.file_mib) << 20;
    RotatingFile::open(path.clone(), limit, settings.files)
        .with_context(|| format!("opening {}", path.display()))
}

/// Takes the flag, else the setting, whose allowed values are the same.
fn chosen<T: ValueEnum>(flag: Option<T>, setting: &str) -> anyhow::Result<T> {
    match flag {
        Some(flag) => Ok(flag),
        None => T::from_str(setting, false).map_err(|error| anyhow::anyhow!(error)),
    }
}

/// Makes the filter: the flag, else the directives of the environment, else the level.
fn filter(flags: LogFlags, level: Level) -> anyhow::Result<EnvFilter> {
    match std::env::var(VARIABLE) {
        Ok(directives) if flags.log_level.is_none() && !directives.is_empty() => {
            let parsed = EnvFilter::try_new(&directives);
            parsed.with_context(|| {
                format!(
                    "{VARIABLE} is \"{directives}\"; write for example debug or market_node=trace"
                )
            })
        }
        _ => Ok(EnvFilter::new(directives(level))),
    }
}

/// Writes a level as directives: what libraries say below `info` is left to the environment variable, and so is
/// the distributed table's warning that it knows no peer, which every first operator of a market would read.
fn directives(level: Level) -> String {
    let name = match level {
        Level::Error => return "error".to_owned(),
        Level::Warn => return format!("warn,{QUIET}"),
        Level::Info => return format!("info,{QUIET}"),
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let own = OWN_CRATES.iter().map(|own| format!(",{own}={name}"));
    std::iter::once(format!("info,{QUIET}"))
        .chain(own)
        .collect()
}

/// Whether lines are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Plain,
    Coloured,
}

fn to_error<S>(format: Format, filter: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ink = match crate::output::colours(io::stderr().is_terminal()) {
        true => Ink::Coloured,
        false => Ink::Plain,
    };
    layer(format, ink, io::stderr, filter)
}

/// Makes what writes events with the spans that they happen in.
fn layer<S, W>(
    format: Format,
    ink: Ink,
    writer: W,
    filter: EnvFilter,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer()
        .with_writer(writer)
        .with_ansi(ink == Ink::Coloured)
        .log_internal_errors(false);
    match format {
        Format::Text => layer.with_filter(filter).boxed(),
        Format::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    }
}

/// The subscriber that a log is made of, for tests.
#[cfg(test)]
fn subscriber<W>(format: Format, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::new("info");
    tracing_subscriber::registry().with(layer::<tracing_subscriber::Registry, W>(
        format,
        Ink::Plain,
        writer,
        filter,
    ))
}

#[cfg(test)]
mod tests;
