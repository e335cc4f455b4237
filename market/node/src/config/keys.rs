//! Owns the list of settings: each key with its kind, its range and its meaning. Validation, the command line
//! and the documentation all read this one list.
//!
//! Never holds a value; the defaults are those of [`Config`].

use super::Config;
use super::sell::{MAX_TEMPERATURE_C, MAX_WATTS, STRATEGIES};

/// What the name of every setting's environment variable begins with.
pub const VARIABLE_PREFIX: &str = "NIGHTSHIFT_";

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its section and its name in it, for example `sell.price`.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// What it is good for, as a sentence.
    pub meaning: &'static str,
}

/// What a setting can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer {
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
        /// What it counts, for example `milliseconds`.
        unit: &'static str,
    },
    /// Credits a GPU-hour, as text.
    Price,
    /// Credits a kilowatt-hour, as text.
    Tariff,
    /// A list of accounts and nodes.
    Counterparties,
    /// A list of multiaddresses.
    Addresses,
    /// Address and port of this machine alone, or nothing.
    Loopback,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Every setting, by section.
pub const KEYS: &[Key] = &[
    Key {
        name: "network.listen",
        kind: Kind::Addresses,
        meaning: "Addresses to listen on; port 0 lets the system choose one.",
    },
    Key {
        name: "network.advertise",
        kind: Kind::Addresses,
        meaning: "When not empty, only these addresses are told to others, for example that of a forwarded port.",
    },
    Key {
        name: "sell.price",
        kind: Kind::Price,
        meaning: "What a GPU-hour costs, unless a strategy says otherwise.",
    },
    Key {
        name: "sell.strategy",
        kind: Kind::Choice(STRATEGIES),
        meaning: "How the price follows the market: not at all, level with the lowest ask of others, a step below it, half-way to the highest bid, or power and a margin.",
    },
    Key {
        name: "sell.floor",
        kind: Kind::Price,
        meaning: "The least that a GPU-hour costs, whatever the market does.",
    },
    Key {
        name: "sell.undercut_step",
        kind: Kind::Price,
        meaning: "How far below the lowest ask of others the strategy undercut asks.",
    },
    Key {
        name: "sell.watts",
        kind: Kind::Integer {
            least: 0,
            most: MAX_WATTS as u64,
            unit: "watts",
        },
        meaning: "What the GPU draws at work; with sell.tariff it makes a second floor. 0 while unknown.",
    },
    Key {
        name: "sell.tariff",
        kind: Kind::Tariff,
        meaning: "What a kilowatt-hour of power costs, in what a credit is worth to you; \"0\" while unknown.",
    },
    Key {
        name: "sell.margin",
        kind: Kind::Price,
        meaning: "What the strategy cost adds to the cost of power.",
    },
    Key {
        name: "sell.reprice_s",
        kind: Kind::Integer {
            least: 2,
            most: 3_600,
            unit: "seconds",
        },
        meaning: "The least time between two prices that a strategy asks; others pass on one order a second of each node.",
    },
    Key {
        name: "sell.others_percent",
        kind: Kind::Integer {
            least: 0,
            most: 100,
            unit: "percent",
        },
        meaning: "How much of the GPU a game or other programs may use before selling pauses, until they have been quiet for two minutes; at 100 it never does.",
    },
    Key {
        name: "sell.max_temperature_c",
        kind: Kind::Integer {
            least: 0,
            most: MAX_TEMPERATURE_C as u64,
            unit: "degrees Celsius",
        },
        meaning: "The warmest that the GPU may be while it is sold; selling pauses above it. 0 for no limit but the card's own.",
    },
    Key {
        name: "sell.max_watts",
        kind: Kind::Integer {
            least: 0,
            most: MAX_WATTS as u64,
            unit: "watts",
        },
        meaning: "The most that the GPU may draw while it is sold; selling pauses above it. 0 for no limit but the card's own.",
    },
    Key {
        name: "sell.allow",
        kind: Kind::Counterparties,
        meaning: "When not empty, only these accounts and nodes are sold to.",
    },
    Key {
        name: "sell.deny",
        kind: Kind::Counterparties,
        meaning: "Accounts and nodes that are not sold to; beats sell.allow.",
    },
    Key {
        name: "sell.hold_bps",
        kind: Kind::Integer {
            least: 0,
            most: 10_000,
            unit: "hundredths of a percent",
        },
        meaning: "Share of the price that is due while inputs come in and in pauses.",
    },
    Key {
        name: "sell.tick_ms",
        kind: Kind::Integer {
            least: 100,
            most: 60_000,
            unit: "milliseconds",
        },
        meaning: "Length of a payment tick: how much work is at stake before the next voucher.",
    },
    Key {
        name: "sell.max_duration_s",
        kind: Kind::Integer {
            least: 60,
            most: 2_592_000,
            unit: "seconds",
        },
        meaning: "The longest lease that is sold.",
    },
    Key {
        name: "buy.allow",
        kind: Kind::Counterparties,
        meaning: "When not empty, only these accounts and nodes are bought from.",
    },
    Key {
        name: "buy.deny",
        kind: Kind::Counterparties,
        meaning: "Accounts and nodes that are never bought from.",
    },
    Key {
        name: "operator.block_interval_ms",
        kind: Kind::Integer {
            least: 100,
            most: 10_000,
            unit: "milliseconds",
        },
        meaning: "The longest time between two blocks, where this node is the operator.",
    },
    Key {
        name: "operator.metrics",
        kind: Kind::Loopback,
        meaning: "Where an operator serves its figures at /metrics as OpenMetrics text; nowhere when empty.",
    },
    Key {
        name: "lease.patience_s",
        kind: Kind::Integer {
            least: 5,
            most: 3_600,
            unit: "seconds",
        },
        meaning: "How long a lease waits for a silent other side before it is given up.",
    },
    Key {
        name: "log.level",
        kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        meaning: "From which level on events are logged.",
    },
    Key {
        name: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        meaning: "How an event is written: a line for people, or one JSON object a line.",
    },
    Key {
        name: "log.file_mib",
        kind: Kind::Integer {
            least: 1,
            most: 1_024,
            unit: "MiB",
        },
        meaning: "The size at which a new log file is begun.",
    },
    Key {
        name: "log.files",
        kind: Kind::Integer {
            least: 1,
            most: 100,
            unit: "files",
        },
        meaning: "How many log files are kept, the one that is being written included.",
    },
    Key {
        name: "disk.reserve_mib",
        kind: Kind::Integer {
            least: 0,
            most: 1_048_576,
            unit: "MiB",
        },
        meaning: "Free space below which this node takes no new job and no new blob, and says so.",
    },
];

impl Key {
    /// Returns the section and the name in it.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name
            .split_once('.')
            .expect("a test checks that every name has a section")
    }

    /// Returns the environment variable that beats the file, for example `NIGHTSHIFT_SELL_PRICE`.
    pub fn variable(&self) -> String {
        let name = self.name.replace('.', "_").to_ascii_uppercase();
        format!("{VARIABLE_PREFIX}{name}")
    }

    /// Returns the value that holds where nobody says otherwise.
    pub fn default_value(&self) -> toml::Value {
        let defaults = toml::Table::try_from(Config::default());
        let defaults = defaults.expect("the defaults are plain tables of plain values");
        let (section, name) = self.parts();
        let value = defaults.get(section).and_then(|table| table.get(name));
        value
            .cloned()
            .expect("a test checks that every key is a field of the settings")
    }
}

impl Kind {
    /// Returns what is allowed, in words.
    pub fn allowed(&self) -> String {
        match self {
            Self::Integer { least, most, unit } => {
                format!("a whole number of {unit}, {least} to {most}")
            }
            Self::Price => "credits a GPU-hour as text, such as \"0.25\"".to_owned(),
            Self::Tariff => "credits a kilowatt-hour as text, such as \"0.30\"".to_owned(),
            Self::Counterparties => {
                "a list of accounts (night1...) and nodes (64 digits), such as [\"night1...\"]"
                    .to_owned()
            }
            Self::Addresses => "a list of addresses such as [\"/ip4/0.0.0.0/tcp/4646\"]".to_owned(),
            Self::Loopback => {
                "a port of this machine such as \"127.0.0.1:9464\", or \"\" for none".to_owned()
            }
            Self::Choice(words) => {
                let quoted = words.iter().map(|word| format!("\"{word}\""));
                format!("one of {}", quoted.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Finds a setting by its name.
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Writes the list of settings as a Markdown table, for the handbook.
pub fn reference() -> String {
    let mut text = String::from(
        "| key | default | allowed | meaning | environment |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in KEYS {
        let (default, allowed) = (key.default_value(), key.kind.allowed());
        let row = format!(
            "| `{}` | `{default}` | {allowed} | {} | `{}` |\n",
            key.name,
            key.meaning,
            key.variable()
        );
        text.push_str(&row);
    }
    text
}
