//! Owns the mistakes that people make in job files: each is told with its line and column, what is wrong, what is
//! allowed or was meant, and with an example.
//!
//! Never compares whole messages.

use std::fs;

use super::{Told, refused};
use crate::market::Market;

/// A job file with a mistake: its text, where the mistake stands, and words of the message.
type Case = (
    &'static str,
    &'static str,
    Option<(u32, u32)>,
    &'static [&'static str],
);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("open", "[train\n", Some((1, 7)), &["no TOML"]),
    ("quote", "[train]\ndata = \"text.txt\n", Some((2, 17)), &["no TOML"]),
    ("twice", "[train]\ndata = \"text.txt\"\ndata = \"b.txt\"\n", Some((3, 1)), &["no TOML", "duplicate"]),
    ("table", "[trian]\ndata = \"text.txt\"\n", Some((1, 2)), &["[trian]", "did you mean [train]?"]),
    ("outside", "steps = 3\n", Some((1, 1)), &["steps", "below a line [train]"]),
    ("key", "[train]\ndata = \"text.txt\"\nstepz = 3\n", Some((3, 1)), &["stepz", "did you mean steps?", "steps = 400"]),
    ("size", "[train]\ndata = \"text.txt\"\nmodel = { widht = 3 }\n", Some((3, 11)), &["widht", "[train.model]"]),
    ("type", "[train]\ndata = \"text.txt\"\nsteps = \"ten\"\n", Some((3, 9)), &["train.steps", "\"ten\"", "a whole number, 1 to 10000000"]),
    ("zero", "[train]\ndata = \"text.txt\"\nsteps = 0\n", Some((3, 9)), &["train.steps is 0", "1 to 10000000", "steps = 400"]),
    ("minus", "[train]\ndata = \"text.txt\"\nbatch = -4\n", Some((3, 9)), &["train.batch is -4", "1 to 4096"]),
    ("money", "[train]\ndata = \"text.txt\"\n[budget]\ntotal = 0.1\n", Some((4, 9)), &["budget.total", "credits in quotes", "\"0.20\""]),
    ("price", "[train]\ndata = \"text.txt\"\n[budget]\nmax_price = \"cheap\"\n", Some((4, 13)), &["budget.max_price", "cheap", "\"0.50\""]),
    ("level", "[train]\ndata = \"text.txt\"\n[needs]\nsandbox = 0\n", Some((4, 11)), &["needs.sandbox is 0", "1 to 255", "sandbox = 1"]),
    ("preset", "[train]\ndata = \"text.txt\"\npreset = \"huge\"\n", Some((3, 10)), &["huge", "demo-1m"]),
    ("window", "[train]\ndata = \"text.txt\"\nsequence = 512\n", Some((3, 12)), &["train.sequence", "512", "8 to 256"]),
    ("heads", "[train]\ndata = \"text.txt\"\nmodel = { dim = 100, heads = 3 }\n", Some((3, 30)), &["model.heads", "heads = 4 with dim = 128"]),
    ("url", "[train]\ndata = \"https://example.org/t.txt\"\n", Some((2, 8)), &["train.blake3", "64 hexadecimal"]),
    ("hash", "[train]\ndata = \"https://example.org/t.txt\"\nblake3 = \"abc\"\n", Some((3, 10)), &["train.blake3", "64 hexadecimal"]),
    ("warm", "[infer]\nmodel = \"out\"\nprompt = \"The \"\ntemperature = 11\n", Some((4, 15)), &["infer.temperature", "0 to 10"]),
    ("both", "[train]\ndata = \"text.txt\"\n[infer]\nmodel = \"out\"\nprompt = \"p\"\n", Some((4, 9)), &["not both"]),
    ("neither", "[budget]\ntotal = \"0.1\"\n", None, &["neither a [train] nor an [infer]"]),
    ("missing", "[train]\nsteps = 3\n", None, &["data"]),
];

/// Each mistake of the table, and those that are not in the text.
pub(super) fn all(market: &Market) {
    let run = |file: &str| market.consumer.run(&["run", file, "--yes"]);
    for (name, text, place, parts) in CASES {
        let name = format!("{name}.toml");
        let file = market.write(&name, text);
        let place = place.map(|(line, column)| format!("line {line}, column {column}: "));
        let mut parts = parts.to_vec();
        parts.extend([name.as_str(), "A job file looks like this", "[train]"]);
        parts.extend(place.as_deref());
        let told = Told {
            code: 1,
            parts: &parts,
        };
        refused(&run(&file), told);
    }
    not_in_the_text(market);
}

fn not_in_the_text(market: &Market) {
    let run = |file: &str| market.consumer.run(&["run", file, "--yes"]);
    let text = "[train]\ndata = \"gone.txt\"\n[budget]\ntotal = \"0.1\"\n";
    let no_data = Told {
        code: 1,
        parts: &["gone.txt", "No such file", "relative to"],
    };
    refused(&run(&market.write("nodata.toml", text)), no_data);
    let folder = market.folder.path();
    let bytes = folder.join("bytes.toml");
    fs::write(&bytes, b"[train]\ndata = \"\xff\xfe\"\n").expect("a temporary file can be written");
    let no_text = Told {
        code: 1,
        parts: &["bytes.toml", "line 2", "UTF-8"],
    };
    refused(&run(&bytes.to_string_lossy()), no_text);
    let missing = folder.join("missing.toml");
    let no_file = Told {
        code: 1,
        parts: &["missing.toml"],
    };
    refused(&run(&missing.to_string_lossy()), no_file);
}
