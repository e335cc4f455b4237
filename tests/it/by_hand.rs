//! Owns the tests that type pages as a person would, line by line, in four terminals: "The same market by hand"
//! of the README, and "An evening" of the handbook.
//!
//! Never types a line that the page does not have, but for asking again for what needs a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::credits::nano;
use crate::processes;
use crate::program;
use crate::readme::blocks_of;
use crate::terminal::{Answer, Terminal};
use crate::transcript::retry;

/// How long a command may take; the longest trains a model.
const LIMIT: Duration = Duration::from_secs(120);

/// Commands that hold their terminal, and what shows the person that they are ready.
const HELD: [(&str, &str); 4] = [
    ("nightshift operator run ", "/p2p/"),
    ("nightshift up --provide ", "It sells"),
    ("nightshift up ", "It buys and watches"),
    ("nightshift tui", "earned"), // Stands there once the node has answered.
];

/// The command that asks for a passphrase where it makes an account.
const ASKS: &str = "nightshift init ";

/// The repository, in which the README's terminals are opened.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Commands with what must stand in their output.
type Shown = &'static [(&'static str, &'static [&'static str])];

/// What the README's commands show.
const README: Shown = &[
    (
        "nightshift operator init",
        &["Founded my-market", "operator run"],
    ),
    ("nightshift init --join", &["Joined my-market", "account"]),
    (
        "nightshift operator issue",
        &["issued 10 cr to", "final in block"],
    ),
    ("nightshift market book", &["0.25 cr/h", "1 offer"]),
    (
        "nightshift quote job.toml",
        &["> ", "0.25 cr/h", "1 of 1 offer that fit", "locks 0.2 cr"],
    ),
    (
        "nightshift run job.toml",
        &[
            "Never send secrets.",
            "first step",
            "completed",
            "signed by both sides",
            "trained",
        ],
    ),
    (
        "nightshift run story.toml",
        &["work done", "completed", "signed by both sides", "told"],
    ),
    ("nightshift ps", &["train", "infer", "completed"]),
    (
        "nightshift wallet balance",
        &[" cr\n", "0 cr locked in channels", "proved by block"],
    ),
    (
        "nightshift wallet send",
        &["sent 1 cr to", "final in block"],
    ),
    (
        "nightshift wallet history",
        &["issue", "transfer", "-1 ", "+10 "],
    ),
    (
        "nightshift tui",
        &["my-market", "0.25 cr/h", "earned in all"],
    ),
    ("nightshift operator run", &["@/ip4/127.0.0.1/tcp/"]),
];

/// What the handbook's evening shows.
const EVENING: Shown = &[
    ("nightshift operator init", &["Founded evening"]),
    ("nightshift config set sell.price", &["sell.price", "0.3"]),
    (
        "nightshift config show lease.patience_s",
        &["300", "default"],
    ),
    ("nightshift market book", &["0.3 cr/h", "1 offer"]),
    ("nightshift sandbox check", &["seccomp"]),
    ("nightshift status", &["evening"]),
    ("nightshift describe latest", &["train", "0.3 cr"]),
    ("nightshift logs -f latest", &["completed"]),
    (
        "nightshift logs --follow latest",
        &["cancelled", "refunded"],
    ),
    ("nightshift fetch latest", &["model.safetensors"]),
    ("nightshift ps --all --id-only", &["\n"]),
    ("nightshift wallet balance", &["0 cr locked in channels"]),
    ("nightshift job reference", &["`steps`"]),
];

/// The terminals of one walk.
struct Walk {
    home: TempDir,
    terminals: BTreeMap<String, Terminal>,
    typed: BTreeSet<&'static str>,
    shown: Shown,
}

#[test]
fn the_readme_can_be_typed_as_it_stands() {
    if !program::has_adapter() {
        return;
    }
    let walk = Walk::through("README.md", README);
    check_outputs(&walk.home.path().join("nightshift-try"));
    check_money(&walk.home.path().join("nightshift-try"));
    walk.leave();
}

#[test]
fn long_the_handbooks_evening_can_be_typed_as_it_stands() {
    if !program::has_adapter() {
        return;
    }
    let walk = Walk::through("docs/handbook/15-an-evening.md", EVENING);
    let folder = walk.home.path().join("nightshift-evening");
    for name in ["trained/model.safetensors", "copy/model.safetensors"] {
        let bytes = fs::metadata(folder.join(name)).map(|file| file.len());
        assert!(matches!(bytes, Ok(1..)), "{name} is not there");
    }
    walk.leave();
}

impl Walk {
    /// Types every marked block of a page, and sees that each checked command was among them.
    fn through(page: &str, shown: Shown) -> Self {
        let mut walk = Self {
            home: tempfile::tempdir().expect("a temporary folder can be made"),
            terminals: BTreeMap::new(),
            typed: BTreeSet::new(),
            shown,
        };
        for block in blocks_of(page) {
            for line in &block.lines {
                walk.type_line(&block.terminal, line);
            }
        }
        let commands = shown.iter().map(|(command, _)| *command);
        let untyped: Vec<&str> = commands
            .filter(|command| !walk.typed.contains(command))
            .collect();
        assert_eq!(untyped, [""; 0], "{page} types less than is checked");
        walk
    }

    fn type_line(&mut self, name: &str, line: &str) {
        let home = self.home.path();
        let open = || Terminal::open(name, home, Path::new(REPOSITORY));
        let terminal = self.terminals.entry(name.to_owned()).or_insert_with(open);
        let padded = format!("{line} ");
        let held = HELD.iter().find(|(command, _)| padded.contains(command));
        let answer = match held {
            Some((_, ready)) => hold(terminal, line, ready),
            None if line.contains(ASKS) => without_passphrase(terminal, line),
            None => terminal.run(line, LIMIT),
        };
        let failed = answer.status.is_some_and(|status| status != 0);
        assert!(
            !failed,
            "in terminal {name}, {line:?} failed:\n{}",
            answer.text
        );
        for (command, shown) in self
            .shown
            .iter()
            .filter(|(command, _)| line.contains(command))
        {
            self.typed.insert(command);
            check(terminal, line, (answer.text.as_str(), shown));
        }
    }

    /// Ends the market as the README says, and sees that nothing of it is left.
    fn leave(mut self) {
        for name in ["consumer", "provider", "operator"] {
            let terminal = self
                .terminals
                .get_mut(name)
                .expect("the README opens this terminal");
            let answer = terminal.interrupt(LIMIT);
            let said = answer.text.contains("Stopping");
            assert!(
                said,
                "Ctrl-C did not stop {name} in order:\n{}",
                answer.text
            );
        }
        for (_, terminal) in std::mem::take(&mut self.terminals) {
            terminal.close();
        }
        let left = processes::that_name(self.home.path());
        processes::assert_gone(&left, "the market by hand");
    }
}

/// Types a command that asks for a passphrase, and presses Enter for none, as the page says.
fn without_passphrase(terminal: &mut Terminal, line: &str) -> Answer {
    terminal.type_line(line);
    terminal.wait_for("Enter for none", LIMIT);
    terminal.press("\n");
    terminal.answer(LIMIT)
}

/// Types a command that keeps its terminal, and returns once it is ready. The screen is left with its key.
fn hold(terminal: &mut Terminal, line: &str, ready: &str) -> Answer {
    terminal.type_line(line);
    terminal.wait_for(ready, LIMIT);
    if line.contains("nightshift tui") {
        terminal.press("q");
        let Answer { text, status } = terminal.answer(LIMIT);
        let text = words(&text);
        return Answer { text, status };
    }
    let text = terminal.text();
    Answer { text, status: None }
}

/// Returns the words of a screen: what moves the cursor or sets a colour parts them.
fn words(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut words = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        words.push(' ');
        words.push_str(
            piece
                .trim_start_matches(|c: char| !c.is_ascii_alphabetic())
                .get(1..)
                .unwrap_or_default(),
        );
    }
    words.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// Sees that `shown` stands in the output. The book is asked again: an offer takes a moment to arrive.
fn check(terminal: &mut Terminal, line: &str, (text, shown): (&str, &[&str])) {
    let missing = |text: &str| {
        shown
            .iter()
            .find(|wanted| !text.contains(**wanted))
            .copied()
    };
    let mut found = missing(text);
    if line.contains("nightshift market book") && found.is_some() {
        let screen = terminal.screen().clone();
        found = retry((LIMIT, "the offer in the book"), &screen, || {
            let text = terminal.run(line, LIMIT).text;
            missing(&text).map_or(Ok(None), |_| Err(text))
        });
    }
    assert!(found.is_none(), "{line:?} does not show {found:?}:\n{text}");
}

/// The trained model, its figures and what it wrote are where the README says.
fn check_outputs(folder: &Path) {
    for name in [
        "trained/model.safetensors",
        "trained/config.json",
        "trained/metrics.jsonl",
        "told/completion.txt",
        "told/completion.jsonl",
    ] {
        let bytes = fs::metadata(folder.join(name)).map(|file| file.len());
        assert!(matches!(bytes, Ok(1..)), "{name} is not there");
    }
}

/// What came in less what went out is what is left, to the billionth.
fn check_money(folder: &Path) {
    let consumer = folder.join("consumer");
    let ask = |arguments: &[&str]| program::run(&consumer, arguments).json();
    let history = ask(&["wallet", "history", "--json"]);
    assert_eq!(history["next"], Value::Null, "one page holds it: {history}");
    let rows = history["entries"].as_array().expect("a list of entries");
    let changes = rows
        .iter()
        .map(|row| nano(row["change"].as_str().expect("a change")));
    let balance = ask(&["wallet", "balance", "--json"]);
    assert_eq!(
        changes.sum::<i128>(),
        crate::credits::of(&balance["available"]),
        "{history}"
    );
    let jobs = ask(&["ps", "--json"]);
    let jobs = jobs.as_array().expect("a list of jobs");
    assert_eq!(jobs.len(), 2);
    let paid: i128 = jobs
        .iter()
        .map(|job| crate::credits::of(&job["paid"]))
        .sum();
    // One transfer of 1 credit and two openings, each with its fee of 0.0001.
    let spent = paid + nano("1") + 3 * nano("0.0001");
    assert!(paid > 0);
    assert_eq!(
        crate::credits::of(&balance["available"]),
        nano("10") - spent
    );
}
