//! Owns the names of a job's inputs and outputs: relative, portable and safe to join to a folder.
//!
//! Never touches a file system; that a name cannot leave the folder it is joined to follows from its form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most bytes that a name may have.
const MAX_BYTES: usize = 128;

/// A text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name: use 1 to 128 of a-z A-Z 0-9 . _ - in parts split by /, no part starting \
     or ending with a dot; for example checkpoint/model.safetensors"
)]
pub struct NameError {
    text: String,
}

/// The name of an input or an output: `/`-separated parts of letters, digits, `.`, `_` and `-`.
///
/// No part is empty or starts or ends with a dot, so that a name joined to a folder stays inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName(String);

impl ArtifactName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.bytes().all(allowed)
}

impl TryFrom<String> for ArtifactName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() <= MAX_BYTES && text.split('/').all(is_part) {
            Ok(Self(text))
        } else {
            Err(NameError {
                text: text.chars().take(MAX_BYTES).collect(),
            })
        }
    }
}

impl FromStr for ArtifactName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<ArtifactName> for String {
    fn from(name: ArtifactName) -> Self {
        name.0
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
