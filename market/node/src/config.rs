//! Owns the settings of a node: one TOML file, every key with its default, range and meaning.
//!
//! Never writes the file; flags beat the environment, and the environment beats the file.

use std::path::PathBuf;

use libp2p::Multiaddr;
use market::PricePerHour;
use serde::{Deserialize, Serialize};

use crate::home::{self, Home, HomeError};

/// All settings. A key that is not known is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the node meets others.
    pub network: NetworkSettings,
    /// How the node sells.
    pub sell: SellSettings,
    /// How the operator orders transactions.
    pub operator: OperatorSettings,
}

/// How the node meets others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
}

/// How the node sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SellSettings {
    /// Price of one GPU-hour in credits, as a string such as "0.25".
    pub price: PricePerHour,
    /// Share of the price while inputs come in and in pauses, in 1/10^4; 0 to 10000.
    pub hold_bps: u16,
    /// Length of a payment tick in milliseconds; 100 to 60000.
    pub tick_ms: u32,
    /// The longest lease in seconds; 60 to 2592000.
    pub max_duration_s: u32,
}

/// How the operator orders transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorSettings {
    /// The longest time between two blocks in milliseconds; 100 to 10000.
    pub block_interval_ms: u64,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        let any = [
            std::net::Ipv4Addr::UNSPECIFIED.into(),
            libp2p::multiaddr::Protocol::Tcp(0),
        ];
        Self {
            listen: vec![any.into_iter().collect()],
        }
    }
}

impl Default for SellSettings {
    fn default() -> Self {
        Self {
            price: PricePerHour(market::Amount::from_nanocredits(250_000_000)),
            hold_bps: 2_500,
            tick_ms: 10_000,
            max_duration_s: 24 * 3600,
        }
    }
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            block_interval_ms: 10_000,
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file is not these settings.
    #[error("{path} is not valid: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// A value is outside its range.
    #[error("{key} is {value}, outside {range}")]
    Range {
        /// The key, for example `sell.tick_ms`.
        key: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        range: &'static str,
    },
}

impl Config {
    /// Reads the home's settings; a missing file means the defaults.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config();
        if !path.exists() {
            return Ok(Self::default());
        }
        let bytes = home::read(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path,
            source: Box::new(source),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the ranges that the fields state.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (sell, operator) = (&self.sell, &self.operator);
        let ranges = [
            (
                "sell.hold_bps",
                u64::from(sell.hold_bps),
                0..=10_000,
                "0 to 10000",
            ),
            (
                "sell.tick_ms",
                sell.tick_ms.into(),
                100..=60_000,
                "100 to 60000",
            ),
            (
                "sell.max_duration_s",
                sell.max_duration_s.into(),
                60..=2_592_000,
                "60 to 2592000",
            ),
            (
                "operator.block_interval_ms",
                operator.block_interval_ms,
                100..=10_000,
                "100 to 10000",
            ),
        ];
        for (key, value, allowed, range) in ranges {
            if !allowed.contains(&value) {
                return Err(ConfigError::Range { key, value, range });
            }
        }
        Ok(())
    }
}
