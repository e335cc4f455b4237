//! Owns what a filter made of a list: the rows that fit, and how many each term leaves out.
//!
//! Never counts a row twice.

use crate::words;

/// The rows that fit, and what became of the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection<Row> {
    /// The rows that fit.
    pub(crate) rows: Vec<Row>,
    /// Each term and how many rows it leaves out, the term that leaves out most by itself first.
    left_out: Vec<(String, usize)>,
}

impl<Row> Selection<Row> {
    /// Begins with no rows.
    pub(super) fn new(terms: impl Iterator<Item = String>) -> Self {
        Self {
            rows: Vec::new(),
            left_out: terms.map(|term| (term, 0)).collect(),
        }
    }

    pub(super) fn keep(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(super) fn leave_out(&mut self, term: usize) {
        if let Some((_, count)) = self.left_out.get_mut(term) {
            *count += 1;
        }
    }

    /// Tells whether anything was asked for.
    pub(crate) fn has_terms(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// Returns how many rows there were before the filter.
    pub(crate) fn considered(&self) -> usize {
        let left_out = self.left_out.iter().map(|(_, count)| count);
        self.rows.len() + left_out.sum::<usize>()
    }

    /// Says what became of all rows of which `shown` are shown, most first: `40 offers: 31 not vram>=12, 6 not
    /// price<0.4, 3 shown`.
    pub(crate) fn explain(&self, noun: &str, shown: usize) -> String {
        let mut left_out: Vec<&(String, usize)> = self.left_out.iter().collect();
        left_out.retain(|(_, count)| *count > 0);
        left_out.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut parts: Vec<String> = left_out
            .into_iter()
            .map(|(term, count)| format!("{count} not {term}"))
            .collect();
        let fitting = self.rows.len();
        if fitting > shown {
            parts.push(format!("{fitting} fit"));
        }
        parts.push(format!("{shown} shown"));
        let considered = words::plural(self.considered(), noun);
        format!("{considered}: {}", parts.join(", "))
    }
}
