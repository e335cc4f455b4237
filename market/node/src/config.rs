//! Owns the settings of a node: one TOML file, every key with its default, range and meaning, and which of
//! the file, the environment and a flag decides.
//!
//! Never writes the file unless asked to set one key; flags beat the environment, and the environment beats
//! the file.

mod counterparty;
mod edit;
mod error;
mod keys;
mod layers;
mod nearest;
mod sell;
mod value;

pub use counterparty::{Counterparty, UnknownCounterparty, listed};
pub use edit::{Edited, set_in_file};
pub use error::{ConfigError, Place};
pub use keys::{KEYS, Key, Kind, VARIABLE_PREFIX, key, reference};
pub use layers::{Entry, Origin, Settings, known};
pub use nearest::nearest;
pub use sell::{MAX_TEMPERATURE_C, MAX_WATTS, SellSettings, Strategy, UnknownStrategy, Unwelcome};

use std::net::SocketAddr;

use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

use crate::home::Home;

/// All settings, with the defaults where nobody said otherwise. [`KEYS`] says what each is allowed to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the node meets others.
    pub network: NetworkSettings,
    /// How the node sells.
    pub sell: SellSettings,
    /// How the node buys.
    pub buy: BuySettings,
    /// How the operator orders transactions.
    pub operator: OperatorSettings,
    /// How leases are kept, on both sides.
    pub lease: LeaseSettings,
    /// What is logged, and how much of it is kept.
    pub log: LogSettings,
    /// How much of the disk is left to others.
    pub disk: DiskSettings,
}

/// How the node meets others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
    /// The only addresses that others are told, or none to tell those that are listened on.
    pub advertise: Vec<Multiaddr>,
}

/// How the node buys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuySettings {
    /// The only ones that are bought from; anybody where it is empty.
    pub allow: Vec<Counterparty>,
    /// Those that are never bought from.
    pub deny: Vec<Counterparty>,
}

/// How the operator orders transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorSettings {
    /// The longest time between two blocks in milliseconds; 100 to 10000.
    pub block_interval_ms: u64,
    /// Where figures are served: a loopback address with its port, or nothing.
    pub metrics: String,
}

impl OperatorSettings {
    /// Returns where figures are served, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.parse().ok()
    }
}

/// How leases are kept, on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseSettings {
    /// How long a lease waits for a silent other side, in seconds; 5 to 3600.
    pub patience_s: u32,
}

/// What is logged, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// From which level on: error, warn, info, debug or trace.
    pub level: String,
    /// One line an event: text or json.
    pub format: String,
    /// The size at which a new log file is begun, in MiB; 1 to 1024.
    pub file_mib: u32,
    /// How many log files are kept, the one that is written included; 1 to 100.
    pub files: u32,
}

/// How much of the disk is left to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSettings {
    /// Free space below which no new job and no new blob is taken, in MiB; 0 to 1048576.
    pub reserve_mib: u64,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        let any = [
            std::net::Ipv4Addr::UNSPECIFIED.into(),
            libp2p::multiaddr::Protocol::Tcp(0),
        ];
        Self {
            listen: vec![any.into_iter().collect()],
            advertise: Vec::new(),
        }
    }
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            block_interval_ms: 10_000,
            metrics: String::new(),
        }
    }
}

impl Default for LeaseSettings {
    fn default() -> Self {
        Self { patience_s: 300 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: "text".to_owned(),
            file_mib: 8,
            files: 5,
        }
    }
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self { reserve_mib: 256 }
    }
}

impl Config {
    /// Reads the home's settings and what the environment of this process says instead.
    ///
    /// # Errors
    /// The file cannot be read, or it or the environment names an unknown key or a value that is not allowed.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        Ok(Settings::load(home)?.config().clone())
    }
}

impl DiskSettings {
    /// Returns the free space below which nothing new is taken, in bytes.
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_mib << 20
    }
}

impl LeaseSettings {
    /// Returns how long a lease waits for a silent other side.
    pub fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.patience_s.into())
    }
}

#[cfg(test)]
mod tests;
