//! Owns the bill: what a job ended with and what it cost.
//!
//! Never adds up money: every amount is printed as it came.

use std::time::Duration;

use market::receipt::Outcome;
use market_node::api::JobView;

use crate::output::{self, Form};
use crate::words;

/// Prints the bill, unless JSON was asked for, where the last event told it. Fails where the job did not
/// complete, after printing.
pub(crate) fn report(form: Form, job: &JobView) -> anyhow::Result<()> {
    if form == Form::Text {
        output::print(form, job, bill)?;
    }
    let outcome = match job.outcome {
        Some(Outcome::Completed) => return Ok(()),
        Some(outcome) => words::outcome(outcome),
        None => "not over",
    };
    anyhow::bail!(
        "the job did not complete: {outcome}; what was delivered is kept and was paid for"
    )
}

/// Writes the bill.
pub(crate) fn bill(job: &JobView) -> String {
    let millis = |millis| words::duration(Duration::from_millis(millis));
    let outcome = job.outcome.map_or(words::phase(job.phase), words::outcome);
    let metered = format!(
        "{} running, {} held",
        millis(job.meter.running_ms),
        millis(job.meter.hold_ms)
    );
    let refunded = match job.refunded {
        Some(refunded) => refunded.to_string(),
        None => "not yet settled".to_owned(),
    };
    let receipt = match job.receipt {
        true => "signed by both sides",
        false => "not signed by both sides",
    };
    let rows = [
        ("job", format!("{} {outcome}", job.job.short())),
        ("outputs", job.output.display().to_string()),
        (
            "provider",
            format!("{}, {}", job.provider.short(), job.class),
        ),
        ("price", job.price_per_hour.to_string()),
        ("metered", metered),
        ("locked", job.deposit.to_string()),
        ("paid", job.paid.to_string()),
        ("refunded", refunded),
        ("receipt", receipt.to_owned()),
    ];
    let line = |(name, value): &(&str, String)| format!("{name:<9} {}\n", words::printable(value));
    rows.iter().map(line).collect()
}
