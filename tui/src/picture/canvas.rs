//! Owns the cells that a picture is drawn into, and how they become lines of text.
//!
//! Never draws outside its size: what does not fit is left out.

use crate::table;

/// How much room a picture has, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Cells in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
}

/// What a cell stands for, where a terminal has colours. The character alone says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Axes and words.
    Plain,
    /// Bids, and prices that rose.
    Rise,
    /// Asks, and prices that fell.
    Fall,
}

/// Rows of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    rows: Vec<Vec<(char, Tone)>>,
}

impl Picture {
    /// Makes an empty picture.
    pub(super) fn blank(size: Size) -> Self {
        let row = vec![(' ', Tone::Plain); size.width];
        Self {
            rows: vec![row; size.height],
        }
    }

    /// Makes a picture of words alone, broken at spaces, in as many rows as they need.
    pub(super) fn words(text: &str, width: usize) -> Self {
        let lines = table::broken(text, width);
        let mut picture = Self::blank(Size {
            width,
            height: lines.len(),
        });
        picture.write_lines(0, &lines);
        picture
    }

    /// Sets a cell of a column and a row.
    pub(super) fn put(&mut self, (column, row): (usize, usize), cell: (char, Tone)) {
        let place = self.rows.get_mut(row).and_then(|row| row.get_mut(column));
        if let Some(place) = place {
            *place = cell;
        }
    }

    /// Writes a text of narrow characters from a cell on.
    pub(super) fn write(&mut self, (column, row): (usize, usize), text: &str) {
        for (index, letter) in text.chars().enumerate() {
            self.put((column + index, row), (letter, Tone::Plain));
        }
    }

    /// Writes lines one below the other from a row on.
    pub(super) fn write_lines(&mut self, row: usize, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            self.write((0, row + index), line);
        }
    }

    /// Returns the rows as plain text without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |row: &Vec<(char, Tone)>| {
            let line: String = row.iter().map(|(letter, _)| letter).collect();
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    /// Returns the rows as stretches of one tone each.
    pub(crate) fn stretches(&self) -> Vec<Vec<(Tone, String)>> {
        let stretches = |row: &Vec<(char, Tone)>| {
            let same = row.chunk_by(|(_, left), (_, right)| left == right);
            let stretch = |cells: &[(char, Tone)]| {
                let tone = cells.first().map_or(Tone::Plain, |(_, tone)| *tone);
                (tone, cells.iter().map(|(letter, _)| letter).collect())
            };
            same.map(stretch).collect()
        };
        self.rows.iter().map(stretches).collect()
    }
}

/// Places pieces of text beside each other with three spaces between them, and goes on in another line where one
/// has no room; no piece is torn unless it is wider than a line.
pub(super) fn flow(pieces: &[String], width: usize) -> Vec<String> {
    const GAP: usize = 3;
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        let length = piece.chars().count();
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP + length <= width => {
                line.push_str(&" ".repeat(GAP));
                line.push_str(piece);
            }
            _ => lines.extend(table::broken(piece, width)),
        }
    }
    lines
}
