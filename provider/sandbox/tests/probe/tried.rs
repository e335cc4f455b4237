//! One line of what the probe tried, as it is passed from the probe to the test.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The attack against all layers.
    Together,
    /// The attack without its layers, which must get through.
    Control,
    /// The attack against one of its layers alone.
    Alone,
}

/// One attempt and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) part: Part,
    pub(crate) number: u8,
    pub(crate) attack: String,
    pub(crate) layer: String,
    pub(crate) verdict: String,
    pub(crate) evidence: String,
    /// Why it cannot be shown on this machine, where it cannot.
    pub(crate) excuse: Option<String>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            attack,
            layer,
            evidence,
            ..
        } = self;
        let how = match self.part {
            Part::Together => "all layers".to_owned(),
            Part::Control => format!("without {layer}"),
            Part::Alone => format!("{layer} alone"),
        };
        match &self.excuse {
            Some(why) => write!(f, "{number:>2} {attack} [{how}]: not provable here: {why}"),
            None => write!(
                f,
                "{number:>2} {attack} [{how}]: {}: {evidence}",
                self.verdict
            ),
        }
    }
}
