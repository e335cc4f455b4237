//! Owns holding a job file against the list of keys: the first thing that is wrong, where it stands, what is
//! allowed there, and what may have been meant.
//!
//! Never makes a job of it; what passes here is read by the parent.

use std::borrow::Cow;
use std::fmt;

use market::job::ModelShape;
use market::{BlobHash, PricePerHour};
use market_node::config::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{JobKey, KEYS, Kind, tables};

/// The most characters of a refused value that are shown again.
const SHOWN: usize = 60;

/// What is wrong with a job file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line and column in characters, from 1, where one place can be named.
    pub place: Option<(usize, usize)>,
    /// What is wrong there, and what is allowed.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl Mistake {
    /// Something that no single place is to blame for.
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self {
            place: None,
            reason: reason.into(),
        }
    }
}

type Name<'a> = Spanned<Cow<'a, str>>;
type Written<'a> = Spanned<DeValue<'a>>;

/// A job file that holds only known keys, each with a value of its kind and range.
pub(super) struct Checked<'a> {
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Checked<'a> {
    /// Parses a text and checks every key of it.
    pub(super) fn new(text: &'a str) -> Result<Self, Mistake> {
        let root = DeTable::parse(text).map_err(|error| Mistake {
            place: Some(place(text, error.span().map_or(0, |span| span.start))),
            reason: format!("this is no TOML: {}", error.message().replace('\n', ", ")),
        })?;
        let checked = Self { text, root };
        for (name, value) in checked.root.get_ref() {
            let Some(table) = value.get_ref().as_table() else {
                return Err(checked.not_in_a_table(name));
            };
            if name.get_ref() == "train.model" || !tables().any(|known| known == name.get_ref()) {
                return Err(checked.unknown_table(name));
            }
            checked.check_table(name.get_ref(), table)?;
        }
        Ok(checked)
    }

    /// Names the place of a field as the job's own checks call it, for example `train.sequence`, and says what is
    /// wrong with it.
    pub(super) fn blame(&self, field: &str, reason: impl Into<String>) -> Mistake {
        let words = field.split([' ', '*', '/']).filter(|word| !word.is_empty());
        let found = words.filter_map(|word| self.find(word)).next();
        Mistake {
            place: found.map(|offset| place(self.text, offset)),
            reason: reason.into(),
        }
    }

    /// Finds a value by a name such as `train.steps`, `model.heads` or `batch`.
    fn find(&self, name: &str) -> Option<usize> {
        let root = self.root.get_ref();
        let (table, key) = name.rsplit_once('.').unwrap_or(("train", name));
        if let Some(table) = root.get(table).and_then(|table| table.get_ref().as_table()) {
            return table.get(key).map(|value| value.span().start);
        }
        let train = root.get("train")?.get_ref().as_table()?;
        let model = train.get("model").or_else(|| train.get("preset"))?;
        let sizes = model.get_ref().as_table();
        let size = sizes.and_then(|sizes| sizes.get(key));
        Some(size.unwrap_or(model).span().start)
    }

    fn at(&self, offset: usize, reason: String) -> Mistake {
        Mistake {
            place: Some(place(self.text, offset)),
            reason,
        }
    }

    fn not_in_a_table(&self, name: &Name<'_>) -> Mistake {
        let mut keys = KEYS.iter().filter(|key| key.name == name.get_ref());
        let where_it_goes = match keys.next() {
            Some(key) => format!("it belongs below a line [{}]", key.table),
            None => "keys stand below a line such as [train]".to_owned(),
        };
        let reason = format!("{} stands in no table; {where_it_goes}", name.get_ref());
        self.at(name.span().start, reason)
    }

    fn unknown_table(&self, name: &Name<'_>) -> Mistake {
        let known = || tables().filter(|table| *table != "train.model");
        let reason = match nearest(name.get_ref(), known()) {
            Some(meant) => format!(
                "unknown table [{}]: did you mean [{meant}]?",
                name.get_ref()
            ),
            None => {
                let all: Vec<String> = known().map(|table| format!("[{table}]")).collect();
                let (name, all) = (name.get_ref(), all.join(", "));
                format!("unknown table [{name}]; a job file has {all}")
            }
        };
        self.at(name.span().start, reason)
    }

    fn check_table(&self, table: &str, values: &DeTable<'_>) -> Result<(), Mistake> {
        for (name, value) in values {
            let key = self.known(table, name)?;
            self.check_value(key, value)?;
        }
        Ok(())
    }

    fn known(&self, table: &str, name: &Name<'_>) -> Result<&'static JobKey, Mistake> {
        let keys = || KEYS.iter().filter(|key| key.table == table);
        let written = name.get_ref();
        if let Some(key) = keys().find(|key| key.name == written) {
            return Ok(key);
        }
        let shown: String = written.chars().take(SHOWN).collect();
        let meant = nearest(written, keys().map(|key| key.name));
        let reason = match meant.and_then(|meant| keys().find(|key| key.name == meant)) {
            Some(meant) => format!(
                "unknown key {shown} in [{table}]: did you mean {}? For example: {} = {}",
                meant.name, meant.name, meant.example
            ),
            None => {
                let all: Vec<&str> = keys().map(|key| key.name).collect();
                format!(
                    "unknown key {shown} in [{table}]; it has {}",
                    all.join(", ")
                )
            }
        };
        Err(self.at(name.span().start, reason))
    }

    fn check_value(&self, key: &JobKey, value: &Written<'_>) -> Result<(), Mistake> {
        if let (Kind::Model, DeValue::Table(sizes)) = (key.kind, value.get_ref()) {
            return self.check_table("train.model", sizes);
        }
        let Err(why) = fits(key.kind, value.get_ref()) else {
            return Ok(());
        };
        let written = self.text.get(value.span()).unwrap_or_default();
        let shown: String = written.chars().take(SHOWN).collect();
        let because = if why.is_empty() {
            why
        } else {
            format!(" ({why})")
        };
        let (kind, name, example) = (key.kind, key.name, key.example);
        let reason = format!(
            "{}.{name} is {shown}{because}; allowed is {kind}. For example: {name} = {example}",
            key.table
        );
        Err(self.at(value.span().start, reason))
    }
}

/// Tells whether a value is of a kind; the reason is empty where the kind says all.
fn fits(kind: Kind, value: &DeValue<'_>) -> Result<(), String> {
    let nothing_more = || Err(String::new());
    match (kind, value) {
        (Kind::Text, DeValue::String(_)) | (Kind::Switch, DeValue::Boolean(_)) => Ok(()),
        (Kind::Whole { least, most }, DeValue::Integer(number)) => {
            let number = u64::from_str_radix(number.as_str(), number.radix());
            match number.is_ok_and(|number| (least..=most).contains(&number)) {
                true => Ok(()),
                false => nothing_more(),
            }
        }
        (Kind::Temperature, DeValue::Integer(number)) => number_fits(number.as_str()),
        (Kind::Temperature, DeValue::Float(number)) => number_fits(number.as_str()),
        (Kind::Credits, DeValue::String(text)) => {
            let price = text.parse::<PricePerHour>();
            price.map(drop).map_err(|error| error.to_string())
        }
        (Kind::Hash, DeValue::String(text)) => match text.parse::<BlobHash>() {
            Ok(_) => Ok(()),
            Err(_) => nothing_more(),
        },
        (Kind::Preset | Kind::Model, DeValue::String(text)) => {
            let shape = ModelShape::preset(text);
            shape.map(drop).map_err(|error| error.to_string())
        }
        _ => nothing_more(),
    }
}

fn number_fits(text: &str) -> Result<(), String> {
    let number = text.parse::<f64>();
    match number.is_ok_and(|number| (0.0..=10.0).contains(&number)) {
        true => Ok(()),
        false => Err(String::new()),
    }
}

/// Returns line and column of an offset, from 1, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
