//! Owns how a test reads a page's commands: the blocks that a person types, terminal by terminal.
//!
//! Never runs them.
//!
//! The convention: a line `<!-- hand:NAME -->`, and on the next line the opening fence of a block. Every
//! line of the block is typed as it stands into the terminal called NAME, in the order of the page.

/// One block that a person types.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HandBlock {
    /// The terminal, from the mark.
    pub(crate) terminal: String,
    /// The lines between the fences.
    pub(crate) lines: Vec<String>,
}

/// A mark that no block follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LostMark {
    /// The mark's line, counted from 1.
    pub(crate) line: usize,
}

/// Reads the marked blocks of a Markdown text, in order.
pub(crate) fn hand_blocks(text: &str) -> Result<Vec<HandBlock>, LostMark> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mark = line.strip_prefix("<!-- hand:");
        let Some(terminal) = mark.and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let fence = lines.next().map(|(_, line)| line);
        if !fence.is_some_and(|line| line.starts_with("```")) {
            return Err(LostMark { line: index + 1 });
        }
        let inside = lines.by_ref().map(|(_, line)| line);
        let typed = inside.take_while(|line| *line != "```");
        blocks.push(HandBlock {
            terminal: terminal.to_owned(),
            lines: typed.map(str::to_owned).collect(),
        });
    }
    Ok(blocks)
}

/// Reads the blocks of one of the repository's own pages.
pub(crate) fn blocks_of(page: &str) -> Vec<HandBlock> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(path.join(page)).expect("the page can be read");
    hand_blocks(&text).expect("every mark of the page has its block")
}

#[test]
fn marked_blocks_are_read_in_order_and_others_are_not() {
    let text = "\
<!-- hand:one -->
```sh
first
```
```sh
not typed
```
<!-- hand:two -->
```toml
second
third
```
";
    let block = |terminal: &str, lines: &[&str]| HandBlock {
        terminal: terminal.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    let expected = vec![block("one", &["first"]), block("two", &["second", "third"])];
    assert_eq!(hand_blocks(text), Ok(expected));
}

#[test]
fn a_mark_without_a_block_is_refused() {
    let lost = hand_blocks("text\n<!-- hand:one -->\n\n```sh\n```\n");
    assert_eq!(lost, Err(LostMark { line: 2 }));
}

#[test]
fn the_readme_shows_every_command_of_the_walk_by_hand() {
    let blocks = blocks_of("README.md");
    let typed: Vec<&String> = blocks.iter().flat_map(|block| &block.lines).collect();
    let commands = [
        "operator init",
        "operator run",
        "operator issue",
        "init --join",
        "up --provide",
        "market book",
        "quote job.toml",
        "run job.toml",
        "ps",
        "wallet balance",
        "wallet send",
        "wallet history",
        "tui",
    ];
    for command in commands {
        let wanted = format!("nightshift {command}");
        assert!(
            typed.iter().any(|line| line.contains(&wanted)),
            "no marked block of the README types `{wanted}`"
        );
    }
}

#[test]
fn each_terminal_of_the_readme_sets_its_home_before_its_first_command() {
    let mut opened: Vec<String> = Vec::new();
    for block in blocks_of("README.md") {
        let is_first = !opened.contains(&block.terminal);
        opened.push(block.terminal.clone());
        let commands = |line: &&String| line.starts_with("nightshift ");
        if !is_first || !block.lines.iter().any(|line| commands(&line)) {
            continue;
        }
        let before = block.lines.iter().take_while(|line| !commands(line));
        let sets_home = before
            .into_iter()
            .any(|line| line.starts_with("export NIGHTSHIFT_HOME="));
        assert!(
            sets_home,
            "terminal {} does not set NIGHTSHIFT_HOME first",
            block.terminal
        );
    }
}
