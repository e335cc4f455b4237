//! Owns how tables and boxes are laid out as plain text.
//!
//! Never colours and never truncates: a table reads the same in a file.

use std::fmt;

use ratatui::text::Span;

/// The most cells of a value in a box, so that the box fits beside a scroll bar.
const MAX_VALUE: usize = 90;

/// On which side a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows under headings, each column as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    columns: [(&'static str, Side); COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Makes a table without rows.
    pub(crate) fn new(columns: [(&'static str, Side); COLUMNS]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    fn widths(&self) -> [usize; COLUMNS] {
        let mut widths = self.columns.map(|(heading, _)| width(heading));
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        widths
    }

    fn line(&self, cells: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
        let mut line = String::new();
        for ((cell, widest), (_, side)) in cells.iter().zip(widths).zip(&self.columns) {
            let padding = " ".repeat(widest.saturating_sub(width(cell)));
            match side {
                Side::Left => line.extend([cell, padding.as_str(), "  "]),
                Side::Right => line.extend([padding.as_str(), cell, "  "]),
            }
        }
        line.trim_end().to_owned()
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let headings = self.columns.map(|(heading, _)| heading.to_owned());
        writeln!(f, "{}", self.line(&headings, &widths))?;
        for row in &self.rows {
            writeln!(f, "{}", self.line(row, &widths))?;
        }
        Ok(())
    }
}

/// Draws named rows in one box under a title; a long value goes on in the next row, broken at a space.
pub(crate) fn boxed(title: &str, values: &[(&str, String)]) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (name, value) in values {
        let names = std::iter::once(*name).chain(std::iter::repeat(""));
        rows.extend(names.zip(broken(value, MAX_VALUE)));
    }
    let names = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|(_, value)| width(value))
        .max()
        .unwrap_or(0);
    let inner = (names + values + 4).max(width(title) + 4);
    let mut text = format!("┌ {title} {}┐\n", "─".repeat(inner - width(title) - 2));
    for (name, value) in &rows {
        let gap = " ".repeat(names - width(name));
        let rest = " ".repeat(inner - names - width(value) - 3);
        text.push_str(&format!("│ {name}{gap}  {value}{rest}│\n"));
    }
    text.push_str(&format!("└{}┘\n", "─".repeat(inner)));
    text
}

/// Breaks a text at spaces into lines of at most `most` cells; a longer word stays whole.
pub(crate) fn broken(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let has_room = |line: &String| width(line) + width(word) < most;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if has_room(line) => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns how many terminal cells a text takes.
fn width(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests;
