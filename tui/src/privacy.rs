//! Owns what is said of privacy: to who buys, what the seller of the machine can see; to who sells, what a job can do.
//!
//! Never promises what the sandbox's attacks on itself do not show, and never takes more than two lines: it is said at
//! every purchase and at every start.

/// What who buys is told before the job leaves, in one line.
pub(crate) const BUYING: &str = "Whoever owns the provider's machine can read this job, its data, its model and its outputs; \
     nothing hides them there. Never send secrets.";

/// What who sells is told before anything is offered, in two lines.
pub(crate) const SELLING: &str = "\
A job cannot read your files, reach a network, start programs or outlive its lease: `nightshift sandbox check` tries it.
It can read its own input, and use the card, the processor and the memory that it states: that is heat and power.";

/// The same, for the two rows that the screen has.
pub(crate) const SELLING_SHORT: &str = "A job cannot read your files, reach a network or start programs. It uses the card, \
     the processor and its memory: heat and power.";

/// The same, for the screen's help.
pub(crate) const SELLING_HELP: [&str; 4] = [
    "A job cannot read your files, reach a network, start programs or",
    "outlive its lease. It can read its own input, and use the card,",
    "the processor and the memory that it states: heat and power.",
    "`nightshift sandbox check` tries all that it must not do.",
];

/// Tells who buys, on standard error: what is printed there is nobody's data.
pub(crate) fn tell_buyer() {
    eprintln!("{BUYING}");
}

/// Tells who sells, on standard error.
pub(crate) fn tell_seller() {
    eprintln!("{SELLING}");
}

#[cfg(test)]
mod tests;
