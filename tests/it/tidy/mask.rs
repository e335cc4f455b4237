//! Owns the blanking of comments and literals, so that a rule about code never trips over words.
//!
//! Never changes the length of the text or its lines.

use super::source::is_name;

/// Returns `text` with every byte of comments, strings and character literals blanked, line ends kept.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while out.len() < bytes.len() {
        let at = out.len();
        let Some(end) = literal_end(bytes, at) else {
            out.push(bytes[at]);
            continue;
        };
        let covered = bytes.get(at..end.min(bytes.len())).unwrap_or_default();
        out.extend(covered.iter().map(|byte| match byte {
            b'\n' => b'\n',
            _ => b' ',
        }));
    }
    // Only whole characters are blanked or copied, so the bytes are still text.
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns the end of the comment or literal that starts at `at`, if one does.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    match rest {
        [b'/', b'/', ..] => Some(at + find(rest, b"\n").unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, b'"')),
        [b'r', ..] if starts_word(bytes, at) => raw_string(rest).map(|length| at + length),
        [b'\'', ..] => character(rest).map(|length| at + length),
        _ => None,
    }
}

/// Tells whether `at` starts a literal's prefix: `r`, or the `r` of `br` and `cr`.
fn starts_word(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at));
    match before(1) {
        Some(b'b' | b'c') => !before(2).is_some_and(is_name),
        Some(byte) => !is_name(byte),
        None => true,
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

/// Length of the block comment at the start, comments inside it included.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length of the literal at the start that `quote` opens and closes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of the raw string at the start, if there is one.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest
        .iter()
        .skip(1)
        .take_while(|byte| **byte == b'#')
        .count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = rest.get(open + 1..)?;
    let length = find(inside, &close).map_or(inside.len(), |at| at + close.len());
    Some(open + 1 + length)
}

/// Length of the character literal at the start, if it is one and not a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        return Some(quoted(rest, b'\''));
    }
    let width = match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(2 + width)
}
