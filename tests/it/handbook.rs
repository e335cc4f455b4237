//! Owns the tests that hold the handbook against the program: its commands exist, its messages are printed.
//!
//! Never judges prose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program;

/// The page that is organised by what the program says.
const TROUBLESHOOTING: &str = "docs/handbook/10-troubleshooting.md";

/// What stands for a thing of the reader's own, and such a thing.
const PLACEHOLDERS: [(&str, &str); 3] = [
    (
        "ACCOUNT",
        "night1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqu26kpe",
    ),
    ("RUN", "latest"),
    (
        "NODE",
        "0000000000000000000000000000000000000000000000000000000000000001",
    ),
];

/// A join string, in place of any that the handbook shows or leaves to the shell.
const JOIN: &str = "0000000000000000000000000000000000000000000000000000000000000000@/ip4/203.0.113.7/tcp/4001\
                    /p2p/12D3KooWAZ1GNHX6PRsX72QFsWMyBxr6eXzHTHfncpG2s2rnG73n";

/// Stands in a quoted message for what differs from case to case.
const VARIES: &str = "...";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let text = fs::read_to_string(path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lists the pages that tell people what to type.
fn pages() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs/handbook")).expect("the handbook is there");
    let pages = folder.map(|entry| entry.expect("an entry can be read").path());
    let mut pages: Vec<PathBuf> = pages.collect();
    pages.push(root().join("README.md"));
    pages.push(root().join("CONTRIBUTING.md"));
    pages.push(root().join("SECURITY.md"));
    pages.push(root().join("docs/security.md"));
    pages
}

/// Returns the command lines of the program in a text: lines of shell blocks, and quoted ones in prose.
fn command_lines(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_shell = false;
    for line in text.lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            is_shell = !is_shell && fence == "sh";
        } else if is_shell {
            found.extend(in_shell(line));
        } else {
            let quoted = line.split('`').skip(1).step_by(2);
            found.extend(
                quoted
                    .filter(|span| span.starts_with("nightshift "))
                    .flat_map(in_shell),
            );
        }
    }
    found
}

/// Returns the commands of the program in one line of a shell, each up to where the shell takes over.
fn in_shell(line: &str) -> Vec<String> {
    let line = line.split(" # ").next().unwrap_or_default().trim();
    let joined = shielded(line).replace("$(", " && ").replace(')', " && ");
    let parts = joined.split([';', '|', '>', '&', '<']);
    let commands = parts.filter_map(|part| {
        let (before, command) = part.split_at(part.find("nightshift ")?);
        let is_command = before
            .split_whitespace()
            .all(|word| word.contains('=') || ["sudo", "-u", "nightshift"].contains(&word));
        let is_account = command.starts_with("nightshift nightshift ");
        let command = if is_account {
            &command["nightshift ".len()..]
        } else {
            command
        };
        is_command.then(|| command.trim().to_owned())
    });
    commands.collect()
}

/// Where characters go that stand between single quotes, which the shell hands on as they are.
const SHIELDED: u32 = 0xe000;

/// Takes single quotes off a line; what stands between them is moved where nothing splits it.
fn shielded(line: &str) -> String {
    let mut is_quoted = false;
    let mut text = String::new();
    for letter in line.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ascii if is_quoted && ascii.is_ascii() => {
                text.extend(char::from_u32(SHIELDED + u32::from(ascii)));
            }
            other => text.push(other),
        }
    }
    text
}

/// Undoes what [`shielded`] did to a word.
fn unshielded(word: &str) -> String {
    let letters = word.chars().map(|letter| {
        let ascii = u32::from(letter).checked_sub(SHIELDED);
        let ascii = ascii.and_then(|code| u8::try_from(code).ok());
        ascii.map_or(letter, char::from)
    });
    letters.collect()
}

/// Returns what a reader's shell would give to the program for this line.
fn arguments_of(line: &str) -> Vec<String> {
    let words = line
        .split_whitespace()
        .skip(1)
        .map(|word| word.replace('"', ""));
    let words: Vec<String> = words.collect();
    let mut arguments = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_join = index > 0 && words[index - 1] == "--join";
        let filled = PLACEHOLDERS.iter().find(|(name, _)| name == word);
        match filled {
            _ if is_join => arguments.push(JOIN.to_owned()),
            Some((_, value)) => arguments.push((*value).to_owned()),
            None if word.is_empty() => {}
            None => arguments.push(unshielded(word)),
        }
    }
    arguments
}

#[test]
fn what_stands_in_quotes_is_one_argument() {
    let line = "A=b nightshift market book 'vram>=12 price<0.4' -o price | head # the cheapest";
    let [command] = &in_shell(line)[..] else {
        panic!("one command: {line}");
    };
    let arguments = arguments_of(command);
    assert_eq!(
        arguments,
        ["market", "book", "vram>=12 price<0.4", "-o", "price"]
    );
}

#[test]
fn every_command_of_the_handbook_is_one_of_the_program() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let lines: BTreeSet<String> = pages()
        .iter()
        .flat_map(|path| command_lines(&read(path)))
        .collect();
    assert!(lines.len() > 30, "the handbook has only {lines:?}");
    let mut wrong = Vec::new();
    for line in lines {
        let mut arguments = arguments_of(&line);
        // Asks for help on exactly this line: a command or a flag that does not exist is told before.
        arguments.push("--help".to_owned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = program::run(folder.path(), &arguments);
        if done.code != Some(0) {
            wrong.push(format!(
                "{line}\n    {}",
                done.stderr.lines().next().unwrap_or_default()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} to put right:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Returns the messages that a page quotes: bold and in code.
fn quoted_messages(text: &str) -> Vec<String> {
    let joined = text.replace('\n', " ");
    let parts = joined.split("**`").skip(1);
    parts
        .filter_map(|part| Some(part.split_once('`')?.0.to_owned()))
        .collect()
}

/// Returns all that the program, the scripts and the Makefile can say: their sources, with broken literals made whole.
fn all_that_is_said() -> String {
    let mut said = String::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_script = folder.ends_with("scripts");
            if path.is_dir()
                && !name.starts_with('.')
                && !["target", "tests", "docs"].contains(&&*name)
            {
                folders.push(path);
            } else if is_script
                || name == "Makefile"
                || (name.ends_with(".rs") && name != "tests.rs")
            {
                said.push_str(&read(&path));
            }
        }
    }
    whole_literals(&said)
}

/// Joins literals that go over several lines, and takes the backslash off quotes.
fn whole_literals(source: &str) -> String {
    let mut pieces = source.split("\\\n");
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        whole.push_str(piece.trim_start());
    }
    whole.replace("\\\"", "\"")
}

#[test]
fn every_message_of_troubleshooting_is_one_that_the_program_prints() {
    let said = all_that_is_said();
    let messages = quoted_messages(&read(root().join(TROUBLESHOOTING)));
    assert!(
        messages.len() > 20,
        "only {} messages are quoted",
        messages.len()
    );
    let is_said = |message: &&String| {
        let mut fragments = message
            .split(VARIES)
            .map(str::trim)
            .filter(|part| !part.is_empty());
        fragments.all(|fragment| said.contains(fragment))
    };
    let lost: Vec<&String> = messages
        .iter()
        .filter(|message| !is_said(message))
        .collect();
    assert!(lost.is_empty(), "nobody prints these any more:\n{lost:#?}");
}

#[test]
fn commands_and_messages_are_found_in_a_page() {
    let page = "Say `nightshift ps --all`.\n```sh\nA=1 nightshift x \"$(nightshift y)\" | cat  # why\n\
                sudo -u nightshift nightshift z\n```\n```toml\nnightshift = 1\n```\n**`a ... b`.** c";
    let lines = command_lines(page);
    let wanted = [
        "nightshift ps --all",
        "nightshift x \"",
        "nightshift y",
        "nightshift z",
    ];
    assert_eq!(lines, wanted.map(str::to_owned).into());
    assert_eq!(quoted_messages(page), ["a ... b"]);
    assert_eq!(whole_literals("\"one \\\n   two\\\"\""), "\"one two\"\"");
}
