//! Owns why settings cannot be used, and where the bad one stands.
//!
//! Never says that something is wrong without what is allowed.

use std::fmt;
use std::path::PathBuf;

use crate::home::HomeError;

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// In an environment variable.
    Variable(String),
    /// In a flag of the command line, for example `--price`.
    Flag(&'static str),
    /// In the command that sets it.
    Command,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => {
                write!(f, "{}, line {line}, column {column}: ", path.display())
            }
            Self::Variable(name) => write!(f, "environment variable {name}: "),
            Self::Flag(name) => write!(f, "flag {name}: "),
            Self::Command => Ok(()),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file is not text.
    #[error("{} is not text in UTF-8; write it again, or remove it to use the defaults", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{place}{reason}; the file is TOML: [section], then key = value")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong there.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{place}unknown key {name}{}", suggestion(.nearest.as_deref()))]
    Unknown {
        /// Where.
        place: Place,
        /// The name that was written.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// A section that is no section, or a key that is one.
    #[error("{place}{name} is {found}; {allowed}")]
    Shape {
        /// Where.
        place: Place,
        /// The section or key.
        name: String,
        /// What stands there.
        found: &'static str,
        /// What should.
        allowed: String,
    },
    /// A value that is not allowed.
    #[error("{place}{key} is {value}; allowed is {allowed}")]
    Value {
        /// Where.
        place: Place,
        /// The key, for example `sell.tick_ms`.
        key: &'static str,
        /// Its value as it was written.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The file is written in a way in which one key cannot be put.
    #[error("cannot put {key} into {}: {why}; write it there by hand, as {line}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is in the way.
        why: String,
        /// What to write.
        line: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(": did you mean {name}?"),
        None => "; `nightshift config show` lists the known ones".to_owned(),
    }
}
