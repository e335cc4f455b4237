//! Owns which of the defaults, the file, the environment and the flags decides each setting.
//!
//! Never takes a key that the list does not know, wherever it is said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::keys::{KEYS, Key, VARIABLE_PREFIX, key};
use super::nearest::nearest;
use super::{Config, value};
use crate::home::{self, Home};

/// Who decided a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody: the default holds.
    Default,
    /// The file, in this line.
    File {
        /// From 1.
        line: usize,
    },
    /// The environment variable of this name.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The flag of this name.
    Flag {
        /// For example `--price`.
        flag: String,
    },
}

/// One setting with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub key: &'static Key,
    /// What it is.
    pub value: toml::Value,
    /// Who decided.
    pub origin: Origin,
}

/// All settings, each with who decided it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    decided: BTreeMap<&'static str, (toml::Value, Origin)>,
    config: Config,
}

/// A setting as one layer says it.
struct Said {
    key: &'static Key,
    value: toml::Value,
    origin: Origin,
}

impl Settings {
    /// Reads the home's file, which may be absent, and what this process's environment says instead.
    ///
    /// # Errors
    /// The file cannot be read, or it or the environment names an unknown key or a value that is not allowed.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        Self::layered(&home.config(), std::env::vars_os())
    }

    /// Reads the file at `path`, which may be absent, and beats it with `variables`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn layered(
        path: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self {
            decided: BTreeMap::new(),
            config: Config::default(),
        };
        if path.exists() {
            let bytes = home::read(path)?;
            let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText {
                path: path.to_owned(),
            })?;
            settings.take(of_file(path, &text)?);
        }
        settings.take(of_environment(variables)?);
        Ok(settings)
    }

    /// Checks what a file would say.
    pub(super) fn check_text(path: &Path, text: &str) -> Result<(), ConfigError> {
        of_file(path, text).map(|_said| ())
    }

    /// Lets a flag of the command line decide a setting.
    ///
    /// # Errors
    /// The key is unknown or the value not allowed.
    pub fn decide_by_flag(
        &mut self,
        flag: &'static str,
        name: &str,
        text: &str,
    ) -> Result<(), ConfigError> {
        let place = Place::Flag(flag);
        let key = known(name, place.clone())?;
        let said = Said {
            key,
            value: value::parsed(key, text, place)?,
            origin: Origin::Flag {
                flag: flag.to_owned(),
            },
        };
        self.take(vec![said]);
        Ok(())
    }

    /// Lets `--listen`, where it was given, decide on which addresses the node listens.
    ///
    /// # Errors
    /// There are more addresses than a node takes.
    pub fn listen_by_flag(&mut self, addresses: &[Multiaddr]) -> Result<(), ConfigError> {
        if addresses.is_empty() {
            return Ok(());
        }
        let addresses = addresses.iter().map(Multiaddr::to_string);
        let text = addresses.collect::<Vec<_>>().join(",");
        self.decide_by_flag("--listen", "network.listen", &text)
    }

    /// Returns the settings as they are used.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns one setting.
    pub fn entry(&self, key: &'static Key) -> Entry {
        let default = || (key.default_value(), Origin::Default);
        let (value, origin) = self.decided.get(key.name).cloned().unwrap_or_else(default);
        Entry { key, value, origin }
    }

    /// Returns every setting, in the order of [`KEYS`].
    pub fn entries(&self) -> Vec<Entry> {
        KEYS.iter().map(|key| self.entry(key)).collect()
    }

    fn take(&mut self, said: Vec<Said>) {
        for Said { key, value, origin } in said {
            self.decided.insert(key.name, (value, origin));
        }
        let mut table = toml::Table::new();
        for entry in self.entries() {
            let (section, name) = entry.key.parts();
            let section = table
                .entry(section)
                .or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(section) = section {
                section.insert(name.to_owned(), entry.value);
            }
        }
        self.config = Config::deserialize(table).expect(
            "every value was checked against its key, and a test reads both ends of every range",
        );
    }
}

/// Finds a key, or says which one may have been meant.
///
/// # Errors
/// There is no such key.
pub fn known(name: &str, place: Place) -> Result<&'static Key, ConfigError> {
    key(name).ok_or_else(|| ConfigError::Unknown {
        place,
        name: name.chars().take(80).collect(),
        nearest: nearest(name, KEYS.iter().map(|key| key.name)).map(str::to_owned),
    })
}

/// Reads what a file says; the first thing that is wrong is an error with its line and column.
fn of_file(path: &Path, text: &str) -> Result<Vec<Said>, ConfigError> {
    let root = parse(path, text)?;
    let mut said = Vec::new();
    for (section, values) in root.get_ref() {
        let place = place(path, text, section.span().start);
        let Some(table) = values.get_ref().as_table() else {
            return Err(not_a_section(section.get_ref(), place));
        };
        if !KEYS.iter().any(|key| key.parts().0 == section.get_ref()) {
            let sections = KEYS.iter().map(|key| key.parts().0);
            let nearest = nearest(section.get_ref(), sections);
            return Err(ConfigError::Unknown {
                place,
                name: section.get_ref().to_string(),
                nearest: nearest.map(|name| format!("[{name}]")),
            });
        }
        for (name, value) in table {
            said.push(of_line((path, text), section.get_ref(), (name, value))?);
        }
    }
    Ok(said)
}

fn of_line(
    (path, text): (&Path, &str),
    section: &str,
    (name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>),
) -> Result<Said, ConfigError> {
    let named = place(path, text, name.span().start);
    let key = known(&format!("{section}.{}", name.get_ref()), named.clone())?;
    let line = match &named {
        Place::File { line, .. } => *line,
        _ => 0,
    };
    let written = place(path, text, value.span().start);
    if value.get_ref().is_table() {
        return Err(ConfigError::Shape {
            place: named,
            name: key.name.to_owned(),
            found: "a section",
            allowed: format!("allowed is {}", key.kind.allowed()),
        });
    }
    let plain = text.get(value.span()).unwrap_or_default();
    let plain = toml::Value::deserialize(toml::de::ValueDeserializer::from(value.clone()))
        .map_err(|error| ConfigError::Value {
            place: written.clone(),
            key: key.name,
            value: format!("{plain} ({})", error.message()),
            allowed: key.kind.allowed(),
        })?;
    Ok(Said {
        key,
        value: value::checked(key, plain, written)?,
        origin: Origin::File { line },
    })
}

/// Parses a file, or says where and why it is no TOML.
pub(super) fn parse<'a>(path: &Path, text: &'a str) -> Result<Spanned<DeTable<'a>>, ConfigError> {
    DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: place(path, text, error.span().map_or(0, |span| span.start)),
        reason: error.message().replace('\n', ", "),
    })
}

fn not_a_section(name: &str, place: Place) -> ConfigError {
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(meant) => ConfigError::Unknown {
            place,
            name: name.to_owned(),
            nearest: Some(meant.to_owned()),
        },
        None => ConfigError::Shape {
            place,
            name: name.to_owned(),
            found: "a value",
            allowed: "a setting stands in its section, such as [sell], then price = \"0.25\""
                .to_owned(),
        },
    }
}

fn place(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place::File {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Reads what the environment says. A variable that begins with a section's name must name a key.
fn of_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Said>, ConfigError> {
    let mut said = Vec::new();
    for (name, text) in variables {
        let Some(name) = name.to_str().filter(|name| is_of_section(name)) else {
            continue;
        };
        let place = Place::Variable(name.to_owned());
        let key = KEYS.iter().find(|key| key.variable() == name);
        let key = key.ok_or_else(|| unknown_variable(name, place.clone()))?;
        said.push(Said {
            key,
            value: value::parsed(key, &text.to_string_lossy(), place)?,
            origin: Origin::Environment {
                variable: name.to_owned(),
            },
        });
    }
    Ok(said)
}

fn is_of_section(variable: &str) -> bool {
    let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX) else {
        return false;
    };
    KEYS.iter().any(|key| {
        let section = key.parts().0.to_ascii_uppercase();
        rest.strip_prefix(&section)
            .is_some_and(|rest| rest.starts_with('_'))
    })
}

fn unknown_variable(name: &str, place: Place) -> ConfigError {
    let variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let nearest = nearest(name, variables.iter().map(String::as_str));
    ConfigError::Unknown {
        place,
        name: name.to_owned(),
        nearest: nearest.map(str::to_owned),
    }
}
