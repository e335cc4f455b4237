//! Owns the language in which a person says which rows of a list they want: terms that must all hold, and an order.
//!
//! Never knows what a row is: a table of fields tells. Never uses a float, and never reads a clock or a node.
//!
//! ```text
//! 'vram>=12 price<0.4' ──► Filter ─┐
//! rows of a list ──────────────────┴─► Selection: the rows that fit, and how many each term leaves out
//! '-gemm,price' ─────────► Order ────► the same rows, sorted
//! ```

mod classes;
mod error;
mod field;
mod number;
mod offers;
mod order;
mod selection;
mod term;
mod trades;
mod units;
mod value;

use std::fmt;

pub(crate) use classes::CLASS_FIELDS;
pub(crate) use error::{FilterError, OrderError};
pub(crate) use field::{Field, table};
pub(crate) use offers::OFFER_FIELDS;
pub(crate) use order::Order;
pub(crate) use selection::Selection;
pub(crate) use trades::TRADE_FIELDS;

use term::Term;

/// Terms of which all must hold; none holds every row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter<Row: 'static> {
    terms: Vec<Term<Row>>,
}

impl<Row> Default for Filter<Row> {
    fn default() -> Self {
        Self { terms: Vec::new() }
    }
}

impl<Row> Filter<Row> {
    /// Reads terms that are separated by spaces.
    ///
    /// # Errors
    /// The first term that is not understood, and why.
    pub(crate) fn parse(text: &str, fields: &'static [Field<Row>]) -> Result<Self, FilterError> {
        let terms = text.split_whitespace();
        let terms = terms.map(|term| Term::parse(term, fields));
        Ok(Self {
            terms: terms.collect::<Result<_, _>>()?,
        })
    }

    /// Joins filters: what all of them say must hold.
    pub(crate) fn all(filters: Vec<Self>) -> Self {
        Self {
            terms: filters
                .into_iter()
                .flat_map(|filter| filter.terms)
                .collect(),
        }
    }

    /// Keeps the rows for which every term holds, in their order. A row that is left out is counted once: at the
    /// term that leaves out most rows by itself, of those that it fails.
    pub(crate) fn select(&self, rows: Vec<Row>) -> Selection<Row> {
        let fails = |term: &Term<Row>| rows.iter().filter(|row| !term.holds(row)).count();
        let alone: Vec<usize> = self.terms.iter().map(fails).collect();
        let mut terms: Vec<(&Term<Row>, usize)> = self.terms.iter().zip(alone).collect();
        terms.sort_by_key(|(_, alone)| std::cmp::Reverse(*alone));
        let mut selection = Selection::new(terms.iter().map(|(term, _)| term.to_string()));
        for row in rows {
            match terms.iter().position(|(term, _)| !term.holds(&row)) {
                Some(failed) => selection.leave_out(failed),
                None => selection.keep(row),
            }
        }
        selection
    }
}

impl<Row> fmt::Display for Filter<Row> {
    /// Prints the terms so that they can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{term}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
