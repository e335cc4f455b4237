//! Owns the units in which numbers of a filter are written, and how many smallest units each one is.
//!
//! Never converts: a number keeps the unit that it was written in.

use super::error::{Problem, excerpt};

/// One unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// How it is written behind a number; empty for a number alone.
    pub(super) name: &'static str,
    /// How many smallest units it is.
    pub(super) size: u64,
}

/// The units of a kind of number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Units {
    /// All, the usual one first.
    all: &'static [Unit],
    /// What a person may write.
    pub(super) example: &'static str,
    /// What `--help` and the handbook say.
    pub(super) meaning: &'static str,
}

impl Units {
    /// Finds a unit by its name, in which letter case counts nothing; `field` is for messages.
    pub(super) fn find(&self, field: &'static str, name: &str) -> Result<&'static Unit, Problem> {
        let mut all = self.all.iter();
        if let Some(unit) = all.find(|unit| unit.name.eq_ignore_ascii_case(name)) {
            return Ok(unit);
        }
        let known = self.known();
        Err(match name {
            "" => Problem::NeedsUnit { field, known },
            _ => Problem::UnknownUnit {
                unit: excerpt(name),
                field,
                known,
            },
        })
    }

    /// Lists what may stand behind a number.
    fn known(&self) -> String {
        let names = self.all.iter().map(|unit| unit.name);
        let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        if names.len() < self.all.len() {
            names.push("nothing");
        }
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }
}

const fn unit(name: &'static str, size: u64) -> Unit {
    Unit { name, size }
}

/// Prices; the smallest unit is the nanocredit an hour.
pub(super) static PRICE: Units = Units {
    all: &[
        unit("", 1_000_000_000),
        unit("cr/h", 1_000_000_000),
        unit("cr", 1_000_000_000),
    ],
    example: "0.25",
    meaning: "cr/h",
};

/// Memory; the smallest unit is the byte.
pub(super) static MEMORY: Units = Units {
    all: &[
        unit("", 1 << 30),
        unit("GiB", 1 << 30),
        unit("MiB", 1 << 20),
        unit("GB", 1_000_000_000),
        unit("MB", 1_000_000),
    ],
    example: "12GiB",
    meaning: "GiB; GB, MiB, MB too",
};

/// Memory tiers, named in gibibytes.
pub(super) static TIER: Units = Units {
    all: &[unit("", 1), unit("G", 1)],
    example: "12G",
    meaning: "GiB, as in the class's name",
};

/// Rates; the smallest unit is 10^6 operations a second.
pub(super) static RATE: Units = Units {
    all: &[
        unit("", 1_000_000),
        unit("T", 1_000_000),
        unit("TFLOP/s", 1_000_000),
        unit("G", 1_000),
        unit("GFLOP/s", 1_000),
    ],
    example: "16T",
    meaning: "TFLOP/s; G for GFLOP/s",
};

/// Memory bandwidth; the smallest unit is 10^9 bytes a second.
pub(super) static BANDWIDTH: Units = Units {
    all: &[unit("", 1), unit("GB/s", 1), unit("TB/s", 1_000)],
    example: "400GB/s",
    meaning: "GB/s; TB/s too",
};

/// Upload to the GPU; the smallest unit is 10^6 bytes a second.
pub(super) static UPLOAD: Units = Units {
    all: &[unit("", 1), unit("MB/s", 1), unit("GB/s", 1_000)],
    example: "8GB/s",
    meaning: "MB/s; GB/s too",
};

/// Network upload; the smallest unit is 10^6 bits a second.
pub(super) static NETWORK: Units = Units {
    all: &[unit("", 1), unit("Mbit/s", 1), unit("Gbit/s", 1_000)],
    example: "40Mbit/s",
    meaning: "Mbit/s; Gbit/s too",
};

/// Durations; the smallest unit is the second. A number alone is refused: it could be any of them.
pub(super) static DURATION: Units = Units {
    all: &[
        unit("s", 1),
        unit("m", 60),
        unit("h", 3_600),
        unit("d", 86_400),
    ],
    example: "2h",
    meaning: "with s, m, h or d",
};

/// Plain numbers.
pub(super) static COUNT: Units = Units {
    all: &[unit("", 1)],
    example: "2",
    meaning: "a number",
};

/// Amounts; the smallest unit is the nanocredit.
pub(super) static CREDITS: Units = Units {
    all: &[unit("", 1_000_000_000), unit("cr", 1_000_000_000)],
    example: "1.5",
    meaning: "cr",
};

/// GPU time; the smallest unit is the millisecond. A number alone is refused, as with durations.
pub(super) static GPU_TIME: Units = Units {
    all: &[
        unit("s", 1_000),
        unit("m", 60_000),
        unit("h", 3_600_000),
        unit("d", 86_400_000),
    ],
    example: "2h",
    meaning: "with s, m, h or d",
};

/// Changes; the smallest unit is 1/10^4.
pub(super) static PERCENT: Units = Units {
    all: &[unit("", 100), unit("%", 100)],
    example: "-2.5",
    meaning: "per cent",
};
