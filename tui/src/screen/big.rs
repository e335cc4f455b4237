//! Owns the big letters of the state word.
//!
//! Never draws anything but the letters that the state words need.

/// Rows that a big word takes.
pub(crate) const ROWS: usize = 3;

/// Rows of dots in a letter; a terminal row shows two.
const DOTS: usize = 5;

/// Draws a word in three rows of half blocks; a letter that is not known is left out.
pub(crate) fn word(word: &str) -> [String; ROWS] {
    let mut rows: [String; ROWS] = Default::default();
    for letter in word
        .chars()
        .filter_map(|letter| glyph(letter.to_ascii_uppercase()))
    {
        for (row, pair) in rows.iter_mut().zip(letter.chunks(2)) {
            let upper = pair.first().copied().unwrap_or_default();
            let lower = pair.get(1).copied().unwrap_or_default();
            let below = lower.chars().chain(std::iter::repeat('.'));
            row.extend(upper.chars().zip(below).map(half_block));
            row.push(' ');
        }
    }
    rows.map(|row| row.trim_end().to_owned())
}

fn half_block((upper, lower): (char, char)) -> char {
    match (upper, lower) {
        ('#', '#') => '█',
        ('#', _) => '▀',
        (_, '#') => '▄',
        _ => ' ',
    }
}

/// Returns a letter's rows of dots.
pub(super) fn glyph(letter: char) -> Option<[&'static str; DOTS]> {
    Some(match letter {
        'A' => [".##.", "#..#", "####", "#..#", "#..#"],
        'B' => ["###.", "#..#", "###.", "#..#", "###."],
        'C' => [".###", "#...", "#...", "#...", ".###"],
        'D' => ["###.", "#..#", "#..#", "#..#", "###."],
        'E' => ["####", "#...", "###.", "#...", "####"],
        'F' => ["####", "#...", "###.", "#...", "#..."],
        'G' => [".###", "#...", "#.##", "#..#", ".###"],
        'H' => ["#..#", "#..#", "####", "#..#", "#..#"],
        'I' => ["###", ".#.", ".#.", ".#.", "###"],
        'L' => ["#...", "#...", "#...", "#...", "####"],
        'N' => ["#..#", "##.#", "#.##", "#..#", "#..#"],
        'O' => [".##.", "#..#", "#..#", "#..#", ".##."],
        'P' => ["###.", "#..#", "###.", "#...", "#..."],
        'R' => ["###.", "#..#", "###.", "#.#.", "#..#"],
        'S' => [".###", "#...", ".##.", "...#", "###."],
        'T' => ["###", ".#.", ".#.", ".#.", ".#."],
        'U' => ["#..#", "#..#", "#..#", "#..#", ".##."],
        'W' => ["#...#", "#...#", "#.#.#", "##.##", "#...#"],
        'Y' => ["#.#", "#.#", ".#.", ".#.", ".#."],
        _ => return None,
    })
}
