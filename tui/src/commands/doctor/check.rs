//! Owns what a check says: its name, its verdict, what was seen, and what to do.
//!
//! Never looks at anything itself.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// All is well.
    Ok,
    /// The node works, and something is worth doing.
    Warning,
    /// Something does not work until it is mended.
    Failed,
    /// It could not be looked at, or does not matter here; the evidence says why.
    Skipped,
}

impl Verdict {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// Its stable name.
    pub(super) name: &'static str,
    /// How it ended.
    pub(super) verdict: Verdict,
    /// What was seen.
    pub(super) evidence: String,
    /// What to do next, where something is to be done.
    pub(super) advice: Option<String>,
}

impl Check {
    /// All is well.
    pub(super) fn ok(name: &'static str, evidence: impl ToString) -> Self {
        Self::new(name, Verdict::Ok, evidence.to_string())
    }

    /// It could not be looked at, or does not matter here.
    pub(super) fn skipped(name: &'static str, why: impl ToString) -> Self {
        Self::new(name, Verdict::Skipped, why.to_string())
    }

    /// The node works, and something is worth doing.
    pub(super) fn warning(
        name: &'static str,
        evidence: impl ToString,
        advice: impl ToString,
    ) -> Self {
        let mut check = Self::new(name, Verdict::Warning, evidence.to_string());
        check.advice = Some(advice.to_string());
        check
    }

    /// Something does not work until it is mended.
    pub(super) fn failed(
        name: &'static str,
        evidence: impl ToString,
        advice: impl ToString,
    ) -> Self {
        let mut check = Self::warning(name, evidence, advice);
        check.verdict = Verdict::Failed;
        check
    }

    fn new(name: &'static str, verdict: Verdict, evidence: String) -> Self {
        Self {
            name,
            verdict,
            evidence,
            advice: None,
        }
    }
}
