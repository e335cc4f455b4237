//! Owns putting one setting into the file: the rest of it, comments and order included, stays as it is.
//!
//! Never leaves a file behind that does not read back as exactly what was asked for.

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::error::{ConfigError, Place};
use super::keys::Key;
use super::layers::{known, parse};
use super::{Settings, value};
use crate::home;

/// What setting a key did.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// Which key.
    pub key: &'static Key,
    /// What the file said before, if anything.
    pub before: Option<toml::Value>,
    /// What it says now.
    pub after: toml::Value,
}

/// A place in the file, and what to put there.
struct Change {
    range: Range<usize>,
    text: String,
}

/// Checks `text` as the value of the key called `name`, and puts it into the file at `path`, whole or not at
/// all; a file that is not there is made.
///
/// # Errors
/// The key is unknown, the value not allowed, the file no valid settings even with the new value, or written in
/// a way that has no place for the key.
pub fn set_in_file(path: &Path, name: &str, text: &str) -> Result<Edited, ConfigError> {
    let key = known(name, Place::Command)?;
    let after = value::parsed(key, text, Place::Command)?;
    let old = match path.exists() {
        true => String::from_utf8(home::read(path)?).map_err(|_| ConfigError::NotText {
            path: path.to_owned(),
        })?,
        false => String::new(),
    };
    let mut wanted = table(path, &old)?;
    let change = change(path, &old, (key, &after))?;
    let mut new = old.clone();
    new.replace_range(change.range, &change.text);
    let (section, field) = key.parts();
    let entry = wanted
        .entry(section)
        .or_insert_with(|| toml::Table::new().into());
    let before = entry
        .as_table_mut()
        .and_then(|section| section.insert(field.to_owned(), after.clone()));
    if table(path, &new).ok().as_ref() != Some(&wanted) {
        return Err(no_place(path, (key, &after)));
    }
    Settings::check_text(path, &new)?;
    home::write_private(path, new.as_bytes())?;
    Ok(Edited { key, before, after })
}

fn table(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    parse(path, text)?;
    text.parse()
        .map_err(|error: toml::de::Error| ConfigError::Edit {
            path: path.to_owned(),
            key: "a value",
            why: error.message().to_owned(),
            line: "key = value".to_owned(),
        })
}

/// Finds what to change: the value where the key stands, else a new line at the end of its section, else a new
/// section at the end of the file.
fn change(
    path: &Path,
    old: &str,
    (key, value): (&'static Key, &toml::Value),
) -> Result<Change, ConfigError> {
    let root = parse(path, old)?;
    let (section, field) = key.parts();
    let newline = match old.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    };
    let Some(found) = root.get_ref().get(section) else {
        let gap = match old.is_empty() {
            true => "",
            false => newline,
        };
        let end = missing_newline(old, newline);
        return Ok(Change {
            range: old.len()..old.len(),
            text: format!("{end}{gap}[{section}]{newline}{field} = {value}{newline}"),
        });
    };
    let Some(table) = found.get_ref().as_table() else {
        return Err(no_place(path, (key, value)));
    };
    if let Some(written) = table.get(field) {
        return Ok(Change {
            range: written.span(),
            text: value.to_string(),
        });
    }
    let start = old.get(found.span()).and_then(|text| text.chars().next());
    let line = match start {
        Some('[') => format!("{field} = {value}"),
        Some('{') | None => return Err(no_place(path, (key, value))),
        Some(_) => format!("{section}.{field} = {value}"),
    };
    let last = last_value(table).unwrap_or(found.span().end);
    let rest = old.get(last..).unwrap_or_default();
    Ok(match rest.find('\n') {
        Some(at) => Change {
            range: last + at + 1..last + at + 1,
            text: format!("{line}{newline}"),
        },
        None => Change {
            range: old.len()..old.len(),
            text: format!("{newline}{line}{newline}"),
        },
    })
}

fn last_value(table: &DeTable<'_>) -> Option<usize> {
    table.iter().map(|(_, value)| value.span().end).max()
}

fn missing_newline<'a>(text: &str, newline: &'a str) -> &'a str {
    match text.is_empty() || text.ends_with('\n') {
        true => "",
        false => newline,
    }
}

fn no_place(path: &Path, (key, value): (&'static Key, &toml::Value)) -> ConfigError {
    let (section, field) = key.parts();
    ConfigError::Edit {
        path: path.to_owned(),
        key: key.name,
        why: format!("[{section}] is not written as a section of its own"),
        line: format!("[{section}] with {field} = {value} below it"),
    }
}
