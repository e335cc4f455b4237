//! Owns how tidy sees a Rust file: its lines, with comments and literals blanked, and which are tests.
//!
//! Never judges what it sees.

use std::fmt;
use std::ops::Range;

use super::mask;

/// A Rust file of the workspace.
pub(crate) struct Source {
    /// Path from the workspace root, with `/`.
    pub(crate) path: String,
    /// The text as it stands.
    pub(crate) text: String,
    /// The text with comments and literals blanked: the same bytes in length, the same lines.
    pub(crate) code: String,
    /// Byte ranges of `code` that `#[cfg(test)]` compiles for tests alone.
    test_items: Vec<Range<usize>>,
}

/// Something to put right, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Finding {
    /// Makes a finding at a line counted from 1.
    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl Source {
    /// Reads what tidy needs out of `text`.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let code = mask::blank(&text);
        let test_items = test_items(&code);
        Self {
            path: path.into(),
            text,
            code,
            test_items,
        }
    }

    /// Tells whether the whole file is test code, by where it lies.
    pub(crate) fn is_test_file(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        let folders = self.path.split('/').rev().skip(1);
        name == "tests.rs" || folders.into_iter().any(|folder| folder == "tests")
    }

    /// Tells whether the byte at `offset` is test code.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.is_test_file() || self.test_items.iter().any(|item| item.contains(&offset))
    }

    /// Returns the line, counted from 1, of the byte at `offset`.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line_of(&self.code, offset)
    }

    /// Makes a finding at a byte of the code.
    pub(crate) fn finding(&self, offset: usize, what: impl Into<String>) -> Finding {
        Finding::at(&self.path, self.line(offset), what)
    }

    /// Returns where `word` stands in the code as a word or path of its own.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let matches = self.code.match_indices(word).map(|(at, _)| at);
        matches
            .filter(|at| {
                let before = at.checked_sub(1).and_then(|at| bytes.get(at));
                let after = bytes.get(at + word.len());
                !before.is_some_and(is_name) && !after.is_some_and(is_name)
            })
            .collect()
    }

    /// Returns how many lines are not inside test items.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let lines_in = |item: &Range<usize>| self.line(item.end) - self.line(item.start) + 1;
        let in_tests: usize = self.test_items.iter().map(lines_in).sum();
        self.text.lines().count().saturating_sub(in_tests)
    }
}

/// Tells whether a byte can be part of a name.
pub(crate) fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Returns the byte after the bracket that closes the one at `open`; the end of the text if none does.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Returns where the body of the item at `start` opens, or `None` where it ends without one.
pub(crate) fn body(code: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match code.as_bytes().get(at)? {
            b'{' => return Some(at),
            b';' => return None,
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let upto = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + upto.iter().filter(|byte| **byte == b'\n').count()
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        if items.last().is_some_and(|item| item.contains(&start)) {
            continue;
        }
        if let Some(open) = body(code, start + attribute.len()) {
            items.push(start..closing(code, open));
        }
    }
    items
}
