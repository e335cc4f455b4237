//! Owns turning what was written, in the file or as plain text, into a checked value of a key.
//!
//! Never takes a value outside the key's kind and range.

use std::net::SocketAddr;

use libp2p::Multiaddr;
use market::{Amount, PricePerHour};
use toml::Value;

use super::counterparty::Counterparty;
use super::error::{ConfigError, Place};
use super::keys::{Key, Kind};

/// The most addresses in one setting.
const MAX_ADDRESSES: usize = 16;

/// The most accounts and nodes in one setting.
const MAX_COUNTERPARTIES: usize = 256;

/// The most characters of a refused value that are shown again.
const SHOWN: usize = 80;

/// Checks a value of the file; a price comes out in its shortest form.
pub(super) fn checked(key: &Key, value: Value, place: Place) -> Result<Value, ConfigError> {
    if let (Kind::Price, Value::String(text)) = (&key.kind, &value)
        && let Ok(price) = text.parse::<PricePerHour>()
    {
        return Ok(Value::String(price.0.decimal()));
    }
    if let (Kind::Tariff, Value::String(text)) = (&key.kind, &value)
        && let Ok(tariff) = text.trim_end_matches("/kWh").parse::<Amount>()
    {
        return Ok(Value::String(tariff.decimal()));
    }
    let is_allowed = match (&key.kind, &value) {
        (Kind::Integer { least, most, .. }, Value::Integer(number)) => {
            u64::try_from(*number).is_ok_and(|number| (*least..=*most).contains(&number))
        }
        (Kind::Loopback, Value::String(text)) => text.is_empty() || is_loopback(text),
        (Kind::Choice(words), Value::String(text)) => words.contains(&text.as_str()),
        (Kind::Addresses, Value::Array(items)) => {
            items.len() <= MAX_ADDRESSES && items.iter().all(is_address)
        }
        (Kind::Counterparties, Value::Array(items)) => {
            items.len() <= MAX_COUNTERPARTIES && items.iter().all(is_counterparty)
        }
        _ => false,
    };
    match is_allowed {
        true => Ok(value),
        false => Err(refused(key, &value.to_string(), place)),
    }
}

fn is_loopback(text: &str) -> bool {
    let address = text.parse::<SocketAddr>();
    address.is_ok_and(|address| address.ip().is_loopback())
}

fn is_counterparty(item: &Value) -> bool {
    let text = item.as_str();
    text.is_some_and(|text| text.parse::<Counterparty>().is_ok())
}

fn is_address(item: &Value) -> bool {
    let text = item.as_str();
    text.is_some_and(|text| text.parse::<Multiaddr>().is_ok())
}

/// Checks plain text, of the environment, a flag or the command line: without quotes, and lists with
/// commas between their items.
pub(super) fn parsed(key: &Key, text: &str, place: Place) -> Result<Value, ConfigError> {
    let trimmed = text.trim();
    let value = match key.kind {
        Kind::Integer { .. } => match trimmed.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => return Err(refused(key, &format!("\"{trimmed}\""), place)),
        },
        Kind::Price | Kind::Tariff | Kind::Loopback | Kind::Choice(_) => {
            Value::String(unquoted(trimmed).to_owned())
        }
        Kind::Addresses | Kind::Counterparties => {
            let inner = trimmed.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
            let items = inner.unwrap_or(trimmed).split(',').map(str::trim);
            let items = items.filter(|item| !item.is_empty());
            items
                .map(|item| Value::String(unquoted(item).to_owned()))
                .collect::<Vec<_>>()
                .into()
        }
    };
    checked(key, value, place)
}

fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.unwrap_or(text)
}

fn refused(key: &Key, value: &str, place: Place) -> ConfigError {
    let shown: String = value.chars().take(SHOWN).collect();
    ConfigError::Value {
        place,
        key: key.name,
        value: shown,
        allowed: key.kind.allowed(),
    }
}
