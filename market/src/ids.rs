//! Owns the 32-byte identifiers: one newtype an idea, so that no two can be mixed up.
//!
//! Never interprets what an id stands for. In bincode an id is its 32 bytes; in JSON and TOML it is
//! 64 lower-case hexadecimal digits, but for accounts, which people type: `address.rs` has their text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 64 hexadecimal digits, got {length} characters: {text:?}")]
pub struct ParseIdError {
    kind: &'static str,
    length: usize,
    text: String,
}

pub(crate) fn parse_hex(kind: &'static str, text: &str) -> Result<[u8; 32], ParseIdError> {
    let mut bytes = [0u8; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError {
        kind,
        length: text.len(),
        text: text.chars().take(80).collect(),
    })?;
    Ok(bytes)
}

macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 raw bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }
    };
}

macro_rules! hexadecimal_id32 {
    ($(#[$doc:meta])* $name:ident) => {
        id32!($(#[$doc])* $name);

        impl $name {
            /// Returns the first eight hexadecimal digits, for people to tell ids apart.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(stringify!($name), text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id32!(
    /// An ed25519 public key that owns money.
    AccountId
);
hexadecimal_id32!(
    /// A machine's own ed25519 public key; its libp2p peer id derives from it.
    NodeId
);
hexadecimal_id32!(
    /// BLAKE3 of the canonical genesis: which market, with which money, this is.
    ChainId
);
hexadecimal_id32!(
    /// BLAKE3 of a signed ledger transaction's bytes.
    TxId
);
hexadecimal_id32!(
    /// BLAKE3 of a block header's canonical bytes.
    HeaderId
);
hexadecimal_id32!(
    /// Root of a Merkle tree of the ledger, or the hash of a set of operators.
    Root
);
hexadecimal_id32!(
    /// BLAKE3 of an order's signed bytes.
    OrderId
);
hexadecimal_id32!(
    /// BLAKE3 of a job specification's canonical bytes.
    JobId
);
hexadecimal_id32!(
    /// BLAKE3 of an agreement's canonical terms.
    AgreementId
);
hexadecimal_id32!(
    /// Identifies an escrow on the ledger; derived from the agreement and never reused.
    ChannelId
);
hexadecimal_id32!(
    /// BLAKE3 of a blob's content.
    BlobHash
);

impl BlobHash {
    /// Hashes a whole blob that is already in memory.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}
