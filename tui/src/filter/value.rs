//! Owns what a field of a row says, what a term compares it with, and the comparison of the two.
//!
//! Never compares what is not known: an unknown value fits no term.

use std::cmp::Ordering;
use std::fmt;

use market::gpu::GpuClass;
use market::order::Attributes;

use super::error::{Problem, excerpt};
use super::number::Number;
use super::units::Units;

/// What a field of one row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing is known.
    Unknown,
    /// A number of the field's smallest unit.
    Number(i128),
    /// A class.
    Class(GpuClass),
    /// An id as text.
    Id(String),
    /// Yes or no.
    Flag(bool),
    /// A set of attributes.
    Attributes(Attributes),
}

impl Value {
    /// Makes a number of what may not be known.
    pub(super) fn number(number: Option<impl Into<i128>>) -> Self {
        number.map_or(Self::Unknown, |number| Self::Number(number.into()))
    }

    /// Orders two values of one field, for sorting: a total order in which the unknown comes last.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.cmp(right),
            (Self::Class(left), Self::Class(right)) => left.cmp(right),
            (Self::Id(left), Self::Id(right)) => left.cmp(right),
            (Self::Flag(left), Self::Flag(right)) => left.cmp(right),
            (Self::Attributes(left), Self::Attributes(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Class(_) => 1,
            Self::Id(_) => 2,
            Self::Flag(_) => 3,
            Self::Attributes(_) => 4,
            Self::Unknown => 5,
        }
    }
}

/// What kind of values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers with units.
    Number(&'static Units),
    /// Classes; one is above another where it may stand in for it.
    Class,
    /// Ids, which may be shortened to their beginning.
    Id,
    /// Yes or no.
    Flag,
    /// Sets of attributes; a set equals each attribute that it holds.
    Attributes,
}

impl Kind {
    /// Tells whether values can be above and below each other.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::Number(_) | Self::Class)
    }

    /// Returns a value as a person may write it.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Number(units) => units.example,
            Self::Class => "16T-12G",
            Self::Id => "5e1f",
            Self::Flag => "yes",
            Self::Attributes => "f16",
        }
    }

    /// Reads a value of the field that is called `field`.
    pub(super) fn read(self, field: &'static str, text: &str) -> Result<Literal, Problem> {
        match self {
            Self::Number(units) => Number::parse(field, text, units).map(Literal::Number),
            Self::Class => Ok(Literal::Class(text.parse()?)),
            Self::Id => read_id(text),
            Self::Flag => read_flag(field, text),
            Self::Attributes => Ok(Literal::Attribute(text.parse()?)),
        }
    }
}

fn read_id(text: &str) -> Result<Literal, Problem> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(Literal::Id(text.to_ascii_lowercase()));
    }
    let text = excerpt(text);
    Err(Problem::NotAnId { text })
}

fn read_flag(field: &'static str, text: &str) -> Result<Literal, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Literal::Flag(true)),
        "no" | "false" => Ok(Literal::Flag(false)),
        _ => Err(Problem::NotAFlag {
            text: excerpt(text),
            field,
        }),
    }
}

/// What a term compares with, as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    /// A number with its unit.
    Number(Number),
    /// A class.
    Class(GpuClass),
    /// The beginning of an id, in lower case.
    Id(String),
    /// Yes or no.
    Flag(bool),
    /// One attribute.
    Attribute(Attributes),
}

impl Literal {
    /// Says where a value lies against this one; `None` where neither is above the other, or nothing is known.
    pub(super) fn place(&self, value: &Value) -> Option<Ordering> {
        match (value, self) {
            (Value::Number(value), Self::Number(number)) => Some(number.place(*value)),
            (Value::Class(class), Self::Class(wanted)) if class == wanted => Some(Ordering::Equal),
            (Value::Class(class), Self::Class(wanted)) if class.satisfies(*wanted) => {
                Some(Ordering::Greater)
            }
            (Value::Class(class), Self::Class(wanted)) if wanted.satisfies(*class) => {
                Some(Ordering::Less)
            }
            _ => None,
        }
    }

    /// Tells whether a value is this one: of an id the beginning counts, of a set what it holds.
    pub(super) fn is(&self, value: &Value) -> bool {
        match (value, self) {
            (Value::Id(id), Self::Id(beginning)) => id.starts_with(beginning.as_str()),
            (Value::Flag(value), Self::Flag(flag)) => value == flag,
            (Value::Attributes(set), Self::Attribute(attribute)) => set.contains(*attribute),
            _ => self.place(value) == Some(Ordering::Equal),
        }
    }

    /// Tells whether this one is above another of the same field, so that nothing can lie between.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(high), Self::Number(low)) => high.is_above(low),
            (Self::Class(high), Self::Class(low)) => high != low && high.satisfies(*low),
            _ => false,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Class(class) => write!(f, "{class}"),
            Self::Id(beginning) => f.write_str(beginning),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Attribute(attribute) => write!(f, "{attribute}"),
        }
    }
}
