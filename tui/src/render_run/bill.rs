//! Owns the bill: what a job ended with and what it cost.
//!
//! Never adds up money: every amount is printed as it came.

use std::time::Duration;

use market::receipt::Outcome;
use market_node::api::JobView;

use crate::exit::Ending;
use crate::output::{self, Form};
use crate::words;

/// Prints the bill, unless JSON was asked for, where the last event told it. Fails where the job did not
/// complete, after printing.
pub(crate) fn report(form: Form, job: &JobView) -> anyhow::Result<()> {
    if form == Form::Text {
        output::print(form, job, bill)?;
    }
    match job.outcome {
        Some(Outcome::Completed) => Ok(()),
        Some(Outcome::Cancelled) => Err(Ending::Cancelled.into()),
        Some(outcome @ (Outcome::Lost | Outcome::Yielded)) => {
            let known = job.note.clone();
            let reason = known.unwrap_or_else(|| words::outcome(outcome).to_owned());
            Err(Ending::ProviderLost { reason }.into())
        }
        outcome => {
            let outcome = outcome.map_or("not over", words::outcome);
            anyhow::bail!(
                "the job did not complete: {outcome}; what was delivered is kept and was paid for"
            )
        }
    }
}

/// Writes the bill.
pub(crate) fn bill(job: &JobView) -> String {
    let millis = |millis| words::duration(Duration::from_millis(millis));
    let outcome = words::state(job);
    let metered = format!(
        "{} running, {} held",
        millis(job.meter.running_ms),
        millis(job.meter.hold_ms)
    );
    let refunded = match (&job.refunded, &job.pending_refund) {
        (Some(refunded), _) => refunded.to_string(),
        (None, Some(pending)) => format!("{}, at least", words::pending_refund(pending)),
        (None, None) => "not yet settled".to_owned(),
    };
    let receipt = match job.receipt {
        true => "signed by both sides",
        false => "not signed by both sides",
    };
    let rows = [
        ("run", format!("{} {outcome}", job.run)),
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
