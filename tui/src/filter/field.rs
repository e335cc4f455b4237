//! Owns what a field is: its names, its kind, and how a row tells its value.
//!
//! Never knows any particular row.

use market_node::config::nearest;

use super::error::{Problem, excerpt};
use super::value::{Kind, Value};
use crate::table::{Side, Table};

/// One field of a row. A list of rows can be filtered and sorted by all fields of its table.
#[derive(Debug)]
pub(crate) struct Field<Row> {
    /// The name that messages use.
    pub(super) name: &'static str,
    /// Other names that are understood.
    pub(super) aliases: &'static [&'static str],
    /// What kind of values it has.
    pub(super) kind: Kind,
    /// What it says, for `--help`.
    pub(super) meaning: &'static str,
    /// Reads it from a row.
    pub(super) get: fn(&Row) -> Value,
}

impl<Row> Field<Row> {
    /// Makes a field of its name and other names, its kind, what it is, and how it is read from a row.
    pub(super) const fn new(
        (name, aliases): (&'static str, &'static [&'static str]),
        kind: Kind,
        meaning: &'static str,
        get: fn(&Row) -> Value,
    ) -> Self {
        Self {
            name,
            aliases,
            kind,
            meaning,
            get,
        }
    }

    /// Finds a field by one of its names, in which letter case counts nothing.
    pub(super) fn find(fields: &'static [Self], name: &str) -> Result<&'static Self, Problem> {
        let has_name = |field: &&Self| {
            let mut names = field.names();
            names.any(|known| known.eq_ignore_ascii_case(name))
        };
        fields.iter().find(has_name).ok_or_else(|| {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            Problem::UnknownField {
                name: excerpt(name),
                nearest: nearest(name, fields.iter().flat_map(Self::names)),
                known: names.join(", "),
            }
        })
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + use<Row> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Returns a term of this field that can be read.
    pub(super) fn example(&self) -> String {
        format!("{}={}", self.name, self.kind.example())
    }
}

/// Lists the fields of a table for `--help`: name, what it is, and how its values are written.
pub(crate) fn table<Row>(fields: &'static [Field<Row>]) -> String {
    let columns = ["FIELD", "WHAT IT IS", "WRITTEN"].map(|heading| (heading, Side::Left));
    let mut table = Table::new(columns);
    for field in fields {
        let written = match field.kind {
            Kind::Number(units) => units.meaning,
            Kind::Class => "a class; >= also takes those that may stand in for it",
            Kind::Id => "its first letters and digits",
            Kind::Flag => "yes or no",
            Kind::Attributes => "a name, such as f16 or on-demand",
        };
        let names: Vec<&str> = field.names().collect();
        table.row([
            names.join(", "),
            field.meaning.to_owned(),
            written.to_owned(),
        ]);
    }
    table.to_string()
}
