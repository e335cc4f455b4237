//! Owns one term of a filter: a field, a comparison, and what the field is compared with.
//!
//! Never reads more than one term; a filter splits its text at spaces.

use std::cmp::Ordering;
use std::fmt;

use super::error::{FilterError, Problem};
use super::field::Field;
use super::value::{Literal, Value};

/// What stands between the ends of a range.
const RANGE: &str = "..";

/// A condition on one field.
#[derive(Debug)]
pub(super) struct Term<Row: 'static> {
    field: &'static Field<Row>,
    test: Test,
}

// Derived, these would ask the same of `Row`, of which a term holds none.
impl<Row> Clone for Term<Row> {
    fn clone(&self) -> Self {
        Self {
            field: self.field,
            test: self.test.clone(),
        }
    }
}

impl<Row> PartialEq for Term<Row> {
    fn eq(&self, other: &Self) -> bool {
        self.field.name == other.field.name && self.test == other.test
    }
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// Above or below one value.
    Beyond(Beyond, Literal),
    /// One of several.
    Among(Vec<Choice>),
    /// None of several.
    Outside(Vec<Choice>),
}

/// On which side of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A value or a range with both ends in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Value(Literal),
    From(Literal),
    UpTo(Literal),
    Between(Literal, Literal),
}

/// A comparison as it is written.
#[derive(Debug, Clone, Copy)]
enum Comparison {
    Beyond(Beyond),
    Equal,
    Unequal,
}

/// The comparisons, those that begin like others first.
const COMPARISONS: [(&str, Comparison); 7] = [
    (">=", Comparison::Beyond(Beyond::AtLeast)),
    ("<=", Comparison::Beyond(Beyond::AtMost)),
    ("!=", Comparison::Unequal),
    ("==", Comparison::Equal),
    (">", Comparison::Beyond(Beyond::Above)),
    ("<", Comparison::Beyond(Beyond::Below)),
    ("=", Comparison::Equal),
];

impl<Row> Term<Row> {
    /// Reads one term.
    pub(super) fn parse(text: &str, fields: &'static [Field<Row>]) -> Result<Self, FilterError> {
        Self::read(text, fields).map_err(|problem| FilterError::new(text, problem))
    }

    fn read(text: &str, fields: &'static [Field<Row>]) -> Result<Self, Problem> {
        let at = text.find(['<', '>', '=', '!']);
        let (name, rest) = text.split_at(at.unwrap_or(text.len()));
        let begins = |(written, _): &&(&str, Comparison)| rest.starts_with(*written);
        let comparison = COMPARISONS.iter().find(begins);
        let (written, comparison) = comparison.ok_or(Problem::NoComparison)?;
        if name.is_empty() {
            return Err(Problem::NoField);
        }
        let field = Field::find(fields, name)?;
        let value = rest.strip_prefix(written).unwrap_or_default();
        let test = match comparison {
            Comparison::Beyond(beyond) => Test::Beyond(*beyond, one_value(field, written, value)?),
            Comparison::Equal => Test::Among(choices(field, value)?),
            Comparison::Unequal => Test::Outside(choices(field, value)?),
        };
        Ok(Self { field, test })
    }

    /// Tells whether the term holds for a row. For what is not known no term holds.
    pub(super) fn holds(&self, row: &Row) -> bool {
        let value = (self.field.get)(row);
        if value == Value::Unknown {
            return false;
        }
        match &self.test {
            Test::Beyond(beyond, literal) => beyond.holds(literal.place(&value)),
            Test::Among(choices) => choices.iter().any(|choice| choice.holds(&value)),
            Test::Outside(choices) => !choices.iter().any(|choice| choice.holds(&value)),
        }
    }
}

/// Reads what stands behind a comparison that takes one value.
fn one_value<Row>(
    field: &'static Field<Row>,
    comparison: &'static str,
    text: &str,
) -> Result<Literal, Problem> {
    if !field.kind.is_ordered() {
        return Err(Problem::Unordered { field: field.name });
    }
    if text.contains(RANGE) || text.contains(',') {
        return Err(Problem::NotOneValue { comparison });
    }
    literal(field, text)
}

/// Reads values and ranges with commas between them.
fn choices<Row>(field: &'static Field<Row>, text: &str) -> Result<Vec<Choice>, Problem> {
    text.split(',').map(|text| choice(field, text)).collect()
}

fn choice<Row>(field: &'static Field<Row>, text: &str) -> Result<Choice, Problem> {
    let Some((low, high)) = text.split_once(RANGE) else {
        return literal(field, text).map(Choice::Value);
    };
    if !field.kind.is_ordered() {
        return Err(Problem::Unordered { field: field.name });
    }
    match (low, high) {
        ("", "") => Err(Problem::EndlessRange {
            example: format!("{}..", field.example()),
        }),
        (low, "") => literal(field, low).map(Choice::From),
        ("", high) => literal(field, high).map(Choice::UpTo),
        (low, high) => {
            let (low, high) = (literal(field, low)?, literal(field, high)?);
            if low.is_above(&high) {
                return Err(Problem::ReversedRange);
            }
            Ok(Choice::Between(low, high))
        }
    }
}

fn literal<Row>(field: &'static Field<Row>, text: &str) -> Result<Literal, Problem> {
    if text.is_empty() {
        let example = field.example();
        return Err(Problem::NoValue { example });
    }
    field.kind.read(field.name, text)
}

impl Beyond {
    fn holds(self, place: Option<Ordering>) -> bool {
        let holds = match self {
            Self::Above => Ordering::is_gt,
            Self::AtLeast => Ordering::is_ge,
            Self::Below => Ordering::is_lt,
            Self::AtMost => Ordering::is_le,
        };
        place.is_some_and(holds)
    }

    fn written(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

impl Choice {
    fn holds(&self, value: &Value) -> bool {
        let is_from = |low: &Literal| Beyond::AtLeast.holds(low.place(value));
        let is_up_to = |high: &Literal| Beyond::AtMost.holds(high.place(value));
        match self {
            Self::Value(literal) => literal.is(value),
            Self::From(low) => is_from(low),
            Self::UpTo(high) => is_up_to(high),
            Self::Between(low, high) => is_from(low) && is_up_to(high),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(literal) => write!(f, "{literal}"),
            Self::From(low) => write!(f, "{low}{RANGE}"),
            Self::UpTo(high) => write!(f, "{RANGE}{high}"),
            Self::Between(low, high) => write!(f, "{low}{RANGE}{high}"),
        }
    }
}

impl<Row> fmt::Display for Term<Row> {
    /// Prints the term so that it can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |choices: &[Choice]| {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            choices.join(",")
        };
        let name = self.field.name;
        match &self.test {
            Test::Beyond(beyond, literal) => write!(f, "{name}{}{literal}", beyond.written()),
            Test::Among(choices) => write!(f, "{name}={}", list(choices)),
            Test::Outside(choices) => write!(f, "{name}!={}", list(choices)),
        }
    }
}
