//! Owns what every decoder of ours must hold to, whatever bytes it is given.
//!
//! Never makes bytes up and never knows a type: the crates whose bytes these are include this file and say which.

use serde::{Serialize, de::DeserializeOwned};

use super::wire::{self, WireError};

/// Decodes bytes, and returns what they mean where they mean something. They must then be the bytes that the value
/// encodes to, hence its only ones, which decode to it again: otherwise what was signed or hashed could differ from
/// what is kept.
pub(super) fn canonical<T>(bytes: &[u8], max_bytes: usize) -> Option<T>
where
    T: Serialize + DeserializeOwned + std::fmt::Debug,
{
    let value: T = match wire::decode(bytes, max_bytes) {
        Ok(value) => value,
        Err(error) => {
            let is_large = matches!(error, WireError::TooLarge { .. });
            assert_eq!(is_large, bytes.len() > max_bytes, "{error}");
            return None;
        }
    };
    assert!(bytes.len() <= max_bytes, "{} bytes decode", bytes.len());
    let encoded = wire::encode(&value);
    assert!(
        encoded == bytes,
        "two byte strings decode to one value: {} to {value:?}, whose bytes are {}",
        hex::encode(bytes),
        hex::encode(&encoded)
    );
    Some(value)
}
