//! Owns `nightshift job reference`: everything that a job file can say.
//!
//! Never reads a job file.

use consumer::{JOB_KEYS, job_reference};
use serde::Serialize;

use crate::cli::Context;

/// Arguments of `job reference`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// One key, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    allowed: String,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
}

/// Prints the list of keys: Markdown, which reads well as it is.
pub(crate) fn execute(Args {}: Args, context: &Context) -> anyhow::Result<()> {
    let rows = JOB_KEYS.iter().map(|key| Row {
        key: format!("{}.{}", key.table, key.name),
        allowed: key.kind.to_string(),
        default: key.default,
        meaning: key.meaning,
        example: key.example,
    });
    context.print(&rows.collect::<Vec<Row>>(), |_| job_reference())
}
