//! Owns `nightshift ledger export`: every movement of money of an operator's block log, for spreadsheets and scripts.
//!
//! Never prints an amount that went through a float, and never a movement of a block that does not verify.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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

/// What a formula begins with.
const FORMULA: [char; 8] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormat {
    /// JSON lines.
    Jsonl,
    /// Comma-separated values, as RFC 4180 says.
    Csv,
}

/// The head line of a table: the fields of a [`Row`], in their order.
const HEAD: [&str; 12] = [
    "height",
    "index",
    "time_ms",
    "tx",
    "due",
    "code",
    "debit",
    "credit",
    "amount",
    "debit_balance",
    "credit_balance",
    "memo",
];

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
            let rows = export_to(path, |out| export(&args, (&membership, config), out));
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

/// Writes beside a file, and over it only when everything is written: what was there before stays until then.
fn export_to<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<&File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // A device or a pipe is not replaced.
    if fs::metadata(path).is_ok_and(|target| !target.is_file()) {
        return write(BufWriter::new(&File::create(path)?));
    }
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    let part = folder.join(name);
    let written = File::create(&part)
        .map_err(anyhow::Error::from)
        .and_then(|file| {
            let written = write(BufWriter::new(&file))?;
            file.sync_all()?;
            fs::rename(&part, path)?;
            Ok(written)
        });
    if written.is_err() {
        let _never_made = fs::remove_file(&part);
    }
    written
}

/// Writes the rows and returns how many there were; `None` where the reader went away before the end.
fn export(
    args: &Args,
    (membership, config): (&Membership, LogConfig),
    out: impl Write,
) -> anyhow::Result<Option<u64>> {
    let mut journal = Journal::default();
    let mut writer = Rows::new(args.format, out)?;
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
    /// Begins; a table has its head line even where no row follows.
    fn new(format: ExportFormat, out: W) -> anyhow::Result<Self> {
        Ok(match format {
            ExportFormat::Jsonl => Self::Jsonl(out),
            ExportFormat::Csv => {
                let mut builder = csv::WriterBuilder::new();
                let mut writer = builder.has_headers(false).from_writer(out);
                writer.write_record(HEAD)?;
                Self::Csv(Box::new(writer))
            }
        })
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

/// Keeps a spreadsheet from taking a stranger's note for a formula: an apostrophe makes it a text. Some of them begin
/// a cell after a semicolon, a tab or a line end too, whatever the quotes say, and take the full-width forms for the
/// plain ones.
fn inert(memo: &str) -> String {
    let mut text = String::with_capacity(memo.len() + 1);
    let mut begins = true;
    for character in memo.chars() {
        if begins && FORMULA.contains(&character) {
            text.push('\'');
        }
        let is_blank = matches!(character, ' ' | '"' | '\'' | '\u{a0}' | '\u{3000}');
        begins = matches!(character, ';' | ',' | '\t' | '\r' | '\n') || (begins && is_blank);
        text.push(character);
    }
    text
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

#[cfg(test)]
mod tests;
