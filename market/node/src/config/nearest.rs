//! Owns finding the name that a person may have meant.
//!
//! Never corrects anything by itself.

/// Returns the candidate nearest to `name`, unless even that one is far off.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let measured = candidates.into_iter().map(|candidate| {
        let is_part = !name.is_empty() && (candidate.starts_with(name) || is_last(candidate, name));
        let distance = match is_part {
            true => 0,
            false => distance(name, candidate),
        };
        (distance, candidate)
    });
    let (distance, candidate) = measured.min_by_key(|(distance, _)| *distance)?;
    let limit = (candidate.chars().count() / 3).max(2);
    (distance <= limit).then_some(candidate)
}

/// Tells whether `name` is the last part of a dotted candidate.
fn is_last(candidate: &str, name: &str) -> bool {
    candidate
        .rsplit_once('.')
        .is_some_and(|(_, last)| last == name)
}

/// Counts the letters to insert, remove or replace, where letter case and `-` for `_` count nothing.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        let text = text.chars().take(MAX_LETTERS);
        text.map(|letter| match letter {
            '-' => '_',
            other => other.to_ascii_lowercase(),
        })
        .collect()
    };
    let (left, right) = (letters(left), letters(right));
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        let mut next = vec![previous];
        for (above, other) in row.iter().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(letter != other);
            previous = replaced.min(previous + 1).min(above + 1);
            diagonal = *above;
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Letters of a name that are looked at.
const MAX_LETTERS: usize = 80;
