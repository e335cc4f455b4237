//! Owns the order of rows: fields, the first one first, each ascending or descending.
//!
//! Never exchanges rows that are equal in all of its fields.

use std::cmp::Ordering;
use std::fmt;

use super::error::OrderError;
use super::field::Field;
use super::value::Value;

/// Fields to sort by; later ones break ties.
#[derive(Debug)]
pub(crate) struct Order<Row: 'static> {
    keys: Vec<Key<Row>>,
}

#[derive(Debug)]
struct Key<Row: 'static> {
    field: &'static Field<Row>,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

// Derived, these would ask the same of `Row`, of which an order holds none.
impl<Row> Clone for Order<Row> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
        }
    }
}

impl<Row> Clone for Key<Row> {
    fn clone(&self) -> Self {
        Self {
            field: self.field,
            direction: self.direction,
        }
    }
}

impl<Row> PartialEq for Order<Row> {
    fn eq(&self, other: &Self) -> bool {
        let parts = |order: &Self| -> Vec<_> {
            let keys = order.keys.iter();
            keys.map(|key| (key.field.name, key.direction)).collect()
        };
        parts(self) == parts(other)
    }
}

impl<Row> Order<Row> {
    /// Reads fields with commas between them; a `-` before or behind a field turns it round.
    ///
    /// # Errors
    /// A field that the table does not have.
    pub(crate) fn parse(text: &str, fields: &'static [Field<Row>]) -> Result<Self, OrderError> {
        let keys = text.split(',').map(|part| {
            let part = part.trim();
            let turned = part.strip_prefix('-').or_else(|| part.strip_suffix('-'));
            let direction = match turned {
                Some(_) => Direction::Descending,
                None => Direction::Ascending,
            };
            let field = Field::find(fields, turned.unwrap_or(part));
            field.map(|field| Key { field, direction })
        });
        let keys = keys.collect::<Result<_, _>>();
        let keys = keys.map_err(|problem| OrderError::new(text, problem))?;
        Ok(Self { keys })
    }

    /// Sorts rows; equal ones keep their order, and what is not known comes last in both directions.
    pub(crate) fn sort(&self, rows: &mut [Row]) {
        rows.sort_by(|left, right| self.compare(left, right));
    }

    /// Compares two rows by the first field in which they differ.
    pub(super) fn compare(&self, left: &Row, right: &Row) -> Ordering {
        let mut compared = self.keys.iter().map(|key| key.compare(left, right));
        compared
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl<Row> Key<Row> {
    fn compare(&self, left: &Row, right: &Row) -> Ordering {
        let (left, right) = ((self.field.get)(left), (self.field.get)(right));
        let is_known = left != Value::Unknown && right != Value::Unknown;
        match self.direction {
            Direction::Descending if is_known => right.order(&left),
            _ => left.order(&right),
        }
    }
}

impl<Row> fmt::Display for Order<Row> {
    /// Prints the fields so that they can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.keys.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let turned = match key.direction {
                Direction::Ascending => "",
                Direction::Descending => "-",
            };
            write!(f, "{comma}{turned}{}", key.field.name)?;
        }
        Ok(())
    }
}
