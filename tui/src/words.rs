//! Owns how figures and states read to a person: durations, sizes, rates, dates, one word a state.
//!
//! Never rounds money: amounts print themselves, exactly.

use std::time::Duration;

use market::Timestamp;
use market::lease::Phase;
use market::receipt::Outcome;
use market_node::api::{BidView, GpuView, JobView, PendingRefund, ProviderState};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MILLIS_PER_DAY: u64 = 24 * 3600 * 1000;

/// Writes a duration: `0.1s`, `3m 12s` or `2h 05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Writes a size in bytes with one decimal, in the largest unit that fits.
pub(crate) fn bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..KIB => return format!("{bytes} B"),
        KIB..MIB => (KIB, "KiB"),
        MIB..GIB => (MIB, "MiB"),
        _ => (GIB, "GiB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

/// Writes a rate given in MFLOP/s with two decimals.
pub(crate) fn rate(mflops: u64) -> String {
    let (unit, name) = match mflops {
        0..1_000_000 => (1_000, "GFLOP/s"),
        _ => (1_000_000, "TFLOP/s"),
    };
    format!("{}.{:02} {name}", mflops / unit, mflops % unit * 100 / unit)
}

/// Writes a number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a noun with its number, for example `1 peer`, `3 peers` or `2 classes`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

/// Writes how many of what fits is shown, and of how many in all: `40 in the book`.
pub(crate) fn shown_of((shown, fitting): (usize, usize), noun: &str, all: &str) -> String {
    let fits = if fitting == 1 { "fits" } else { "fit" };
    format!(
        "Shown {shown} of {} that {fits}; {all}.",
        plural(fitting, noun)
    )
}

/// Writes protocol time as date and time of day in UTC.
///
/// Counts days in eras of 400 years whose years begin in March, so that a leap day is a year's last.
pub(crate) fn utc(time: Timestamp) -> String {
    let millis = time.as_millis();
    let days = millis / MILLIS_PER_DAY + 719_468; // Days from 1 March of the year 0 to 1 January 1970.
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let seconds = millis % MILLIS_PER_DAY / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = seconds % 60;
    format!("{year:04}-{month:02}-{day_of_month:02} {hours:02}:{minutes:02}:{seconds:02}")
}

/// Writes GPU time in hours with two decimals, rounded down; what is less than a hundredth says so.
pub(crate) fn hours(gpu_ms: u64) -> String {
    match gpu_ms / 36_000 {
        0 if gpu_ms > 0 => "<0.01".to_owned(),
        hundredths => format!("{}.{:02}", hundredths / 100, hundredths % 100),
    }
}

/// Names a phase of a lease.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Opening => "opening",
        Phase::Preparing => "preparing",
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Delivering => "delivering",
        Phase::Closing => "closing",
        Phase::Ended => "ended",
    }
}

/// Names how a job ended.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Yielded => "yielded",
        Outcome::Cancelled => "cancelled",
        Outcome::OutOfBudget => "out of budget",
        Outcome::Failed => "failed",
        Outcome::Lost => "provider lost",
    }
}

/// Names how a job ended or, while it goes on, its phase.
pub(crate) fn ended_or_phase(outcome: Option<Outcome>, now: Phase) -> &'static str {
    outcome.map_or(phase(now), self::outcome)
}

/// Names where a run stands, and from its second attempt on which one it is.
pub(crate) fn state(job: &JobView) -> String {
    let state = ended_or_phase(job.outcome, job.phase);
    match job.attempts {
        0 | 1 => state.to_owned(),
        attempts => format!("{state}, attempt {attempts}"),
    }
}

/// Names where a bid stands: what it waits for and until when, or how it ended.
pub(crate) fn bid(bid: &BidView) -> String {
    match bid.state.stands() {
        true => format!(
            "{} at most {}, until {} UTC",
            bid.state,
            bid.max_price,
            utc(bid.until)
        ),
        false => bid.state.to_string(),
    }
}

/// Writes what is on its way back and when it is due.
pub(crate) fn pending_refund(pending: &PendingRefund) -> String {
    format!("{} by {} UTC", pending.amount, utc(pending.due_at))
}

/// Writes how old a figure is that cannot be asked for now; `None` for one of now.
pub(crate) fn age(stale_s: Option<u64>) -> Option<String> {
    stale_s.map(|age_s| match age_s {
        0..60 => format!("{age_s} s"),
        _ => duration(Duration::from_secs(age_s)),
    })
}

/// Names how selling goes.
pub(crate) fn selling(state: ProviderState) -> &'static str {
    match state {
        ProviderState::Earning => "Earning",
        ProviderState::Waiting => "Waiting",
        ProviderState::Paused => "Paused",
        ProviderState::Offline => "Offline",
    }
}

/// Writes a measured GPU on one line.
pub(crate) fn gpu(gpu: &GpuView) -> String {
    let adapter = printable(&gpu.adapter);
    let memory = bytes(gpu.memory_bytes);
    format!(
        "{}  {}  {memory}  {adapter}",
        gpu.class,
        rate(gpu.gemm_mflops)
    )
}

/// Writes steps made of steps to make, for example `20/200`.
pub(crate) fn steps((step, steps): (u64, u64)) -> String {
    format!("{step}/{steps}")
}

/// Lists the names of layers that are written `name: evidence`.
pub(crate) fn layers(layers: &[String]) -> String {
    let name = |layer: &String| layer.split(':').next().map(printable).unwrap_or_default();
    layers.iter().map(name).collect::<Vec<String>>().join(", ")
}

/// Replaces what could move the cursor, colour the screen or reorder text: what others wrote is shown,
/// never obeyed.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

fn shown(character: char) -> char {
    let reorders = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    match character {
        '\t' => ' ',
        _ if character.is_control() || reorders => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests;
