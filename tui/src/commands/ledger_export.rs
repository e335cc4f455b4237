//! Owns `nightshift ledger export`: every movement of money of an operator's block log, for spreadsheets and scripts.
//!
//! Never prints an amount that went through a float, and never a movement of a block that does not verify.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use market::ledger::{Bucket, Cause, Code, Journal, JournalEntry};
use market::{AccountId, ChannelId, Timestamp, TxId};
use market_node::ledger::replay::replay;
use market_node::log::LogConfig;
use market_node::membership::Membership;
use serde::Serialize;

use super::ledger_verify::log_of;
use crate::cli::Context;

/// Arguments of `ledger export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Amounts are exact decimals of credits. In comma-separated values a note that a spreadsheet could \
take for a formula has an apostrophe before it."
)]
pub(crate) struct Args {
    /// One JSON object a line, or comma-separated values with a head line
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    format: ExportFormat,
    /// Only the movements of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    /// Write into this file instead of standard output; an existing one is replaced
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormat {
    /// JSON lines.
    Jsonl,
    /// Comma-separated values, as RFC 4180 says.
    Csv,
}

/// One movement. Amounts are exact decimals of credits.
#[derive(Debug, Clone, Serialize)]
struct Row {
    height: u64,
    /// The movement's place among those of its block, from 0.
    index: u32,
    /// Milliseconds since 1970, protocol time.
    time_ms: u64,
    /// The transaction that caused it; none where a channel fell due.
    tx: Option<TxId>,
    /// The channel that fell due, where one did.
    due: Option<ChannelId>,
    code: Code,
    debit: String,
    credit: String,
    amount: String,
    debit_balance: String,
    credit_balance: String,
    memo: Option<String>,
}

/// Writes the log of this home out.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let (membership, config) = log_of(context)?;
    let exported = tokio::task::spawn_blocking(move || match &args.output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("creating {}", path.display()))?;
            let rows = export(&args, (&membership, config), BufWriter::new(file));
            rows.with_context(|| format!("writing {}", path.display()))
        }
        None => export(&args, (&membership, config), io::stdout().lock()),
    });
    let rows = exported.await.context("exporting the ledger")??;
    if let Some(rows) = rows {
        eprintln!("{rows} movements");
    }
    Ok(())
}

/// Writes the rows and returns how many there were; `None` where the reader went away before the end.
fn export(
    args: &Args,
    (membership, config): (&Membership, LogConfig),
    out: impl Write,
) -> anyhow::Result<Option<u64>> {
    let mut journal = Journal::default();
    let mut writer = Rows::new(args.format, out);
    let mut rows = 0;
    let replayed = replay(config, &membership.genesis, |verified| {
        let header = &verified.block.header;
        for (index, movement) in (0..).zip(verified.block.movements()) {
            let entry = journal.enter(movement)?;
            let transfer = &entry.movement.transfer;
            let own =
                |account| [transfer.debit, transfer.credit].contains(&Bucket::Available(account));
            if args.account.is_none_or(own) {
                writer.write(&row((header.height, index), header.time, &entry))?;
                rows += 1;
            }
        }
        Ok::<(), anyhow::Error>(())
    });
    let finished = replayed.and_then(|_| writer.finish());
    match finished {
        Ok(()) => Ok(Some(rows)),
        Err(error) if is_reader_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn row((height, index): (u64, u32), time: Timestamp, entry: &JournalEntry) -> Row {
    let movement = &entry.movement;
    let (tx, due) = match movement.cause {
        Cause::Transaction(id) => (Some(id), None),
        Cause::Expiry(channel) | Cause::Deadline(channel) => (None, Some(channel)),
    };
    let transfer = &movement.transfer;
    Row {
        height,
        index,
        time_ms: time.as_millis(),
        tx,
        due,
        code: transfer.code,
        debit: side(transfer.debit),
        credit: side(transfer.credit),
        amount: transfer.amount.decimal(),
        debit_balance: entry.debit_balance.decimal(),
        credit_balance: entry.credit_balance.decimal(),
        memo: movement.memo.as_ref().map(ToString::to_string),
    }
}

/// Names a side so that it can be searched for.
pub(super) fn side(bucket: Bucket) -> String {
    match bucket {
        Bucket::Available(account) => format!("account:{account}"),
        Bucket::Channel(channel) => format!("channel:{channel}"),
        Bucket::FeePool => "fees".to_owned(),
        Bucket::Treasury => "treasury".to_owned(),
        Bucket::Issued => "issued".to_owned(),
        Bucket::Redeemed => "redeemed".to_owned(),
        Bucket::Burned => "burned".to_owned(),
    }
}

/// Where rows go.
enum Rows<W: Write> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Rows<W> {
    fn new(format: ExportFormat, out: W) -> Self {
        match format {
            ExportFormat::Jsonl => Self::Jsonl(out),
            ExportFormat::Csv => Self::Csv(Box::new(csv::Writer::from_writer(out))),
        }
    }

    fn write(&mut self, row: &Row) -> anyhow::Result<()> {
        match self {
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")?;
            }
            Self::Csv(writer) => writer.serialize(Row {
                memo: row.memo.as_deref().map(inert),
                ..row.clone()
            })?,
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Jsonl(mut out) => out.flush()?,
            Self::Csv(mut writer) => writer.flush()?,
        }
        Ok(())
    }
}

/// Keeps a spreadsheet from taking a stranger's note for a formula: an apostrophe makes it a text.
fn inert(memo: &str) -> String {
    match memo.starts_with(['=', '+', '-', '@']) {
        true => format!("'{memo}"),
        false => memo.to_owned(),
    }
}

/// Tells whether writing failed because nobody reads any more, for example after `head` had its lines.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    let is_broken_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(is_broken_pipe);
        let json = cause.downcast_ref::<serde_json::Error>();
        let json = json.and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().map(csv::Error::kind);
        io == Some(true)
            || json == Some(io::ErrorKind::BrokenPipe)
            || matches!(csv, Some(csv::ErrorKind::Io(error)) if is_broken_pipe(error))
    })
}
