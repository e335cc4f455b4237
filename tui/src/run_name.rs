//! Owns how a person names a run on the command line: by the first digits of its id, or as `latest`.
//!
//! Never guesses: a name that fits several runs is refused.

use std::str::FromStr;

use market_node::api::{ApiClient, JobView};

use crate::words;

/// The least digits that name a run.
const LEAST_DIGITS: usize = 4;

/// The digits of a whole id.
const ALL_DIGITS: usize = 16;

/// The most runs that a refusal lists.
const MAX_LISTED: usize = 5;

/// A run as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunName {
    /// The one that was begun last.
    Latest,
    /// The one whose id begins so.
    Digits(String),
}

/// A text that can name no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a run is named by at least {LEAST_DIGITS} of its {ALL_DIGITS} hexadecimal digits, as `nightshift ps` \
     shows them, or by the word latest"
)]
pub(crate) struct NoRunName;

impl FromStr for RunName {
    type Err = NoRunName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let is_digit = |character: char| character.is_ascii_hexdigit();
        let is_long_enough = (LEAST_DIGITS..=ALL_DIGITS).contains(&text.len());
        match is_long_enough && text.chars().all(is_digit) {
            true => Ok(Self::Digits(text.to_ascii_lowercase())),
            false => Err(NoRunName),
        }
    }
}

impl RunName {
    /// Finds the run among those of the node.
    pub(crate) async fn find(&self, client: &ApiClient) -> anyhow::Result<JobView> {
        let jobs: Vec<JobView> = client.get("/v1/jobs").await?;
        self.among(&jobs).cloned()
    }

    /// Finds the run in a list whose newest is the first.
    pub(crate) fn among<'a>(&self, jobs: &'a [JobView]) -> anyhow::Result<&'a JobView> {
        let digits = match self {
            Self::Latest => {
                let newest = jobs.first();
                return newest.ok_or_else(|| {
                    anyhow::anyhow!("no jobs yet; buy one with `nightshift run JOB.toml`")
                });
            }
            Self::Digits(digits) => digits,
        };
        let named = |job: &&JobView| job.run.to_string().starts_with(digits.as_str());
        let found: Vec<&JobView> = jobs.iter().filter(named).collect();
        match found.as_slice() {
            [only] => Ok(only),
            [] => anyhow::bail!("no run begins with {digits}; `nightshift ps --all` lists them"),
            several => {
                let runs = several.iter().take(MAX_LISTED);
                let runs: Vec<String> = runs.map(|job| job.run.to_string()).collect();
                anyhow::bail!(
                    "{} begin with {digits}: {}; type more digits",
                    words::plural(several.len(), "run"),
                    runs.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
