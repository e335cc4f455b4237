//! Owns the list of what may stand in a job file: every key with its kind, default, meaning and an example.
//!
//! Never reads a file; `check` holds what was written against this list, and the reference is printed from it.

use std::fmt;

/// What may stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text in quotes.
    Text,
    /// A whole number in this range.
    Whole {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A number from 0 to 10, with decimals.
    Temperature,
    /// An amount of credits, in quotes.
    Credits,
    /// A BLAKE3 hash, in quotes.
    Hash,
    /// The name of a preset, in quotes.
    Preset,
    /// The name of a preset, or a table of sizes.
    Model,
    /// `true` or `false`.
    Switch,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text in quotes"),
            Self::Whole { least, most } => write!(f, "a whole number, {least} to {most}"),
            Self::Temperature => f.write_str("a number, 0 to 10"),
            Self::Credits => f.write_str("credits in quotes, with at most 9 decimals"),
            Self::Hash => f.write_str("64 hexadecimal digits in quotes"),
            Self::Preset => f.write_str("a preset in quotes, \"demo-1m\" or \"small-10m\""),
            Self::Model => f.write_str("a preset in quotes, or a table of sizes"),
            Self::Switch => f.write_str("true or false"),
        }
    }
}

/// A key of a job file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobKey {
    /// The table in which it stands, for example `train`.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// What holds where it is left out, in words.
    pub default: &'static str,
    /// What it is for, in one line.
    pub meaning: &'static str,
    /// A line that is allowed, without the name.
    pub example: &'static str,
}

const fn whole(least: u64, most: u64) -> Kind {
    Kind::Whole { least, most }
}

const fn row(
    (table, name): (&'static str, &'static str),
    kind: Kind,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> JobKey {
    JobKey {
        table,
        name,
        kind,
        default,
        meaning,
        example,
    }
}

/// The most that a seed may be.
const MAX_SEED: u64 = i64::MAX as u64;

/// A tebibyte, the most that a job may ask for of anything.
const TIB: u64 = 1 << 40;

/// Every key, table by table.
#[rustfmt::skip]
pub const KEYS: &[JobKey] = &[
    row(("train", "data"), Kind::Text, "must be given", "\"my-text.txt\"", "the text to train on: a file, or an https address"),
    row(("train", "blake3"), Kind::Hash, "none", "\"64 hexadecimal digits\"", "the hash of the text, where `data` is an address"),
    row(("train", "preset"), Kind::Preset, "\"demo-1m\"", "\"demo-1m\"", "the model, by the name of a preset"),
    row(("train", "model"), Kind::Model, "\"demo-1m\"", "{ dim = 128, layers = 5 }", "the model, by name or by its sizes"),
    row(("train", "steps"), whole(1, 10_000_000), "400", "400", "optimiser steps"),
    row(("train", "batch"), whole(1, 4_096), "4", "4", "sequences in a step"),
    row(("train", "sequence"), whole(8, 16_384), "128", "128", "tokens in a sequence, at most the model's context"),
    row(("train", "learning_rate_micros"), whole(1, 1_000_000), "3000", "3000", "highest learning rate in 1/10^6"),
    row(("train", "final_learning_rate_bps"), whole(0, 10_000), "1000", "1000", "last learning rate as a share of the highest in 1/10^4"),
    row(("train", "warm_up_steps"), whole(0, 10_000_000), "20, or all steps of a shorter training", "20", "steps over which the learning rate rises"),
    row(("train", "weight_decay_milli"), whole(0, 1_000), "100", "100", "weight decay in 1/10^3"),
    row(("train", "clip_milli"), whole(0, 1_000_000), "1000", "1000", "norm to which gradients are clipped in 1/10^3; 0 never"),
    row(("train", "seed"), whole(0, MAX_SEED), "42", "42", "seed of the first weights and of the order of the data"),
    row(("train", "held_out_bps"), whole(1, 5_000), "500", "500", "share of the text that is never trained on in 1/10^4"),
    row(("train", "evaluate_every"), whole(0, 10_000_000), "0", "100", "steps between measurements on the held-out text; 0: at the end"),
    row(("train", "checkpoint_every"), whole(0, 10_000_000), "100", "100", "steps between checkpoints; 0: at the end"),
    row(("train", "log_every"), whole(1, 10_000), "5", "5", "steps between reports"),
    row(("train.model", "dim"), whole(16, 8_192), "128", "128", "width of the model"),
    row(("train.model", "layers"), whole(1, 128), "5", "5", "layers"),
    row(("train.model", "heads"), whole(1, 128), "4", "4", "query heads; divide `dim` into even widths"),
    row(("train.model", "kv_heads"), whole(1, 128), "2", "2", "key and value heads; divide `heads`"),
    row(("train.model", "ffn_dim"), whole(16, 32_768), "384", "384", "width of the feed-forward layer"),
    row(("train.model", "vocabulary"), whole(256, 256), "256", "256", "tokens; models read bytes"),
    row(("train.model", "context"), whole(8, 16_384), "256", "256", "the most positions"),
    row(("train.model", "tied_embeddings"), Kind::Switch, "true", "true", "whether the output layer shares the embedding's weights"),
    row(("infer", "model"), Kind::Text, "must be given", "\"out/step-000400\"", "the folder with config.json and model.safetensors"),
    row(("infer", "prompt"), Kind::Text, "must be given", "\"Once upon\"", "the text to continue"),
    row(("infer", "max_tokens"), whole(1, 1 << 20), "128", "128", "tokens to write at most"),
    row(("infer", "temperature"), Kind::Temperature, "0.8", "0.8", "how freely words are drawn; 0 takes the likeliest"),
    row(("infer", "config"), Kind::Text, "\"config.json\"", "\"config.json\"", "the name under which the job has the model's sizes"),
    row(("infer", "weights"), Kind::Text, "\"model.safetensors\"", "\"model.safetensors\"", "the name under which the job has the weights"),
    row(("infer", "seed"), whole(0, MAX_SEED), "0", "0", "seed of the draws"),
    row(("budget", "max_price"), Kind::Credits, "any price", "\"0.50\"", "the most that a GPU may cost for an hour"),
    row(("budget", "total"), Kind::Credits, "the time limit at the offer's price", "\"0.20\"", "the most that the job may cost in all; this is locked"),
    row(("budget", "delivery_ticks"), whole(1, 10_000), "30", "30", "ticks to pay beyond the last delivered output"),
    row(("limits", "wall_clock_s"), whole(1, 2_592_000), "3600", "3600", "seconds that the work may take"),
    row(("limits", "memory_bytes"), whole(64 << 20, TIB), "2147483648", "2147483648", "host memory in bytes"),
    row(("limits", "scratch_bytes"), whole(0, TIB), "0", "0", "temporary storage in bytes"),
    row(("limits", "output_bytes"), whole(1 << 20, TIB), "1073741824", "1073741824", "all outputs together in bytes"),
    row(("needs", "sandbox"), whole(1, 255), "1", "1", "the least level of the provider's sandbox; 1 is the built-in engine"),
];

/// Writes the reference of the job file as Markdown: a table of keys for each table of the file.
pub fn reference() -> String {
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        if key.table != table {
            table = key.table;
            text.push_str(&format!(
                "{}## `[{table}]`\n\n| key | allowed | default | meaning |\n| --- | --- | --- | --- |\n",
                if text.is_empty() { "" } else { "\n" }
            ));
        }
        let JobKey {
            name,
            kind,
            default,
            meaning,
            ..
        } = key;
        text.push_str(&format!("| `{name}` | {kind} | {default} | {meaning} |\n"));
    }
    text
}

/// Returns the tables of a job file, in the order of the list.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let tables = KEYS.iter().map(|key| key.table);
    tables.filter(move |table| std::mem::replace(&mut last, table) != *table)
}
