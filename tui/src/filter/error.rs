//! Owns why a filter or an order is not understood, in words that point at the term and say what to write.
//!
//! Never guesses what was meant without saying so.

use market::gpu::ParseClassError;
use market::order::UnknownAttribute;

use crate::words;

/// The most characters of a term that a message repeats.
const EXCERPT: usize = 60;

/// A term that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in the term `{term}`: {problem}")]
pub(crate) struct FilterError {
    /// The term as written, cut to 60 characters.
    term: String,
    /// What is wrong with it.
    pub(super) problem: Problem,
}

impl FilterError {
    /// Blames a term.
    pub(super) fn new(term: &str, problem: Problem) -> Self {
        let term = excerpt(term);
        Self { term, problem }
    }
}

/// A key of an order that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in the order `{order}`: {problem}")]
pub(crate) struct OrderError {
    order: String,
    problem: Problem,
}

impl OrderError {
    /// Blames an order.
    pub(super) fn new(order: &str, problem: Problem) -> Self {
        let order = excerpt(order);
        Self { order, problem }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// There is a name, or nothing at all, and no comparison.
    #[error(
        "there is no comparison; write FIELD, one of > >= < <= = !=, and a value, without spaces between \
         them, for example price<0.4"
    )]
    NoComparison,
    /// Nothing stands before the comparison.
    #[error("no field stands before the comparison; write for example price<0.4")]
    NoField,
    /// No field has this name.
    #[error("there is no field {name:?}{}; the fields are {known}", suggestion(*.nearest))]
    UnknownField {
        /// The name as written, cut.
        name: String,
        /// The name that may have been meant.
        nearest: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// A value is missing.
    #[error("a value is missing; write for example {example}")]
    NoValue {
        /// A term that would do.
        example: String,
    },
    /// The value does not begin with a number.
    #[error(
        "{text:?} is not a number; write digits with at most one decimal point, for example {example}"
    )]
    NotANumber {
        /// The value as written, cut.
        text: String,
        /// A term that would do.
        example: String,
    },
    /// More digits than are kept exactly.
    #[error(
        "{text:?} has too many digits; a number has at most 16, and at most 9 of them after the point"
    )]
    TooManyDigits {
        /// The value as written, cut.
        text: String,
    },
    /// The unit is not one of the field's.
    #[error("{unit:?} is not a unit of {field}; write {known} behind the number")]
    UnknownUnit {
        /// The unit as written, cut.
        unit: String,
        /// The field.
        field: &'static str,
        /// The units that the field has.
        known: String,
    },
    /// The field has no unit that goes without saying.
    #[error("a number alone does not say how much of {field}; write {known} behind it")]
    NeedsUnit {
        /// The field.
        field: &'static str,
        /// The units that the field has.
        known: String,
    },
    /// The value is no class.
    #[error(transparent)]
    NotAClass(#[from] ParseClassError),
    /// The value is neither yes nor no.
    #[error("{text:?} is neither yes nor no; write {field}=yes or {field}=no")]
    NotAFlag {
        /// The value as written, cut.
        text: String,
        /// The field.
        field: &'static str,
    },
    /// The value is no attribute.
    #[error(transparent)]
    NotAnAttribute(#[from] UnknownAttribute),
    /// The value cannot begin an id.
    #[error(
        "{text:?} is not the beginning of an id; write its first letters and digits, as the table shows them"
    )]
    NotAnId {
        /// The value as written, cut.
        text: String,
    },
    /// The field's values have no order.
    #[error("the values of {field} have no order; compare them with = or !=")]
    Unordered {
        /// The field.
        field: &'static str,
    },
    /// A range or a list stands where one value is needed.
    #[error("{comparison} takes one value; write ranges and lists behind = or !=")]
    NotOneValue {
        /// The comparison as written.
        comparison: &'static str,
    },
    /// A range without ends.
    #[error("a range needs at least one end; write for example {example}")]
    EndlessRange {
        /// A term that would do.
        example: String,
    },
    /// A range that holds nothing.
    #[error("the range holds nothing, because its first end is above its second; exchange them")]
    ReversedRange,
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// Cuts what a person wrote to what a message repeats, and makes it safe to show.
pub(super) fn excerpt(text: &str) -> String {
    let cut: String = text.chars().take(EXCERPT).collect();
    words::printable(&cut)
}
