//! The only place that turns nouns into bytes and bytes into nouns, signed or not.
//!
//! The form is bincode with fixed-width little-endian integers. A decoder checks the length before
//! it looks at a byte, must consume all of the input, and never panics. A signature covers
//! `namespace || 0x00 || chain_id || payload`, so that no message means anything in another place or on
//! another chain; the id of a signed thing is BLAKE3 of those bytes. [`Signed`] keeps the payload
//! as received, so that nothing is ever signed or hashed in a re-encoded form.
//!
//! Never decides whether a message makes sense: size first, then signature, then (elsewhere) meaning.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ids::ChainId;
use crate::keys::{self, SIGNATURE_BYTES, SecretKey};

/// The most bytes that any single message may have, 16 MiB.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// More bytes than this kind of message may have.
    #[error("{actual} bytes, more than the {max} that this message may have")]
    TooLarge {
        /// Bytes received.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The bytes do not form this kind of message.
    #[error("the bytes are not a {expected}: {detail}")]
    Malformed {
        /// The kind of message that was expected.
        expected: &'static str,
        /// What the decoder met.
        detail: String,
    },
    /// Bytes were left after the message ended.
    #[error("{extra} bytes follow the end of the message")]
    TrailingBytes {
        /// Bytes left over.
        extra: usize,
    },
    /// The signature does not match the payload, the signer, the namespace and the chain.
    #[error("the signature on this {namespace} does not verify on this chain")]
    BadSignature {
        /// The namespace that the signature should cover.
        namespace: &'static str,
    },
}

/// Up to this size a message is decoded under this limit and not under that of the largest: a text's memory is set
/// aside as soon as its length is read, so that a few bytes could ask for [`MAX_MESSAGE_BYTES`].
const SMALL_MESSAGE_BYTES: usize = 64 << 10;

fn config<const LIMIT: usize>() -> impl bincode::config::Config {
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<LIMIT>()
}

/// Encodes a noun of this crate, or a message made of them.
///
/// # Panics
/// Never for the types of this project: all have a bounded size and a derived `Serialize`.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let unlimited = bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding();
    bincode::serde::encode_to_vec(value, unlimited)
        .expect("derived Serialize of sized data does not fail")
}

/// Decodes a message of at most `max_bytes` bytes that must fill the whole input.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, WireError> {
    let max = max_bytes.min(MAX_MESSAGE_BYTES);
    if bytes.len() > max {
        return Err(WireError::TooLarge {
            actual: bytes.len(),
            max,
        });
    }
    let decoded = if bytes.len() <= SMALL_MESSAGE_BYTES {
        bincode::serde::decode_from_slice(bytes, config::<SMALL_MESSAGE_BYTES>())
    } else {
        bincode::serde::decode_from_slice(bytes, config::<MAX_MESSAGE_BYTES>())
    };
    let (value, consumed) = decoded.map_err(|error| WireError::Malformed {
        expected: std::any::type_name::<T>(),
        detail: error.to_string(),
    })?;
    match bytes.len() - consumed {
        0 => Ok(value),
        extra => Err(WireError::TrailingBytes { extra }),
    }
}

/// A noun that can be signed: its own namespace keeps signatures from meaning anything elsewhere.
pub trait Payload: Serialize + DeserializeOwned {
    /// The domain of the signature, for example `nightshift/ask/1`; unique to this type.
    const NAMESPACE: &'static str;
    /// The most bytes that the encoded payload may have.
    const MAX_BYTES: usize;
}

/// Returns the bytes that a signature over `payload` covers, which are also what its id hashes.
fn signing_bytes<T: Payload>(chain: &ChainId, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(T::NAMESPACE.len() + 33 + payload.len());
    bytes.extend_from_slice(T::NAMESPACE.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(chain.as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Returns the content id of an unsigned noun on a chain: BLAKE3 of what a signature would cover.
pub fn content_id<T: Payload>(value: &T, chain: &ChainId) -> [u8; 32] {
    *blake3::hash(&signing_bytes::<T>(chain, &encode(value))).as_bytes()
}

/// A signer and its signature; which payload it covers follows from where it stands.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The public key that signed.
    pub signer: [u8; 32],
    first: [u8; SIGNATURE_BYTES / 2],
    second: [u8; SIGNATURE_BYTES / 2],
}

impl Seal {
    /// Signs `value` on `chain`.
    pub fn new<T: Payload>(value: &T, key: &SecretKey, chain: &ChainId) -> Self {
        Self::over::<T>(&encode(value), key, chain)
    }

    fn over<T: Payload>(payload: &[u8], key: &SecretKey, chain: &ChainId) -> Self {
        let signature = key.sign(&signing_bytes::<T>(chain, payload));
        let mut first = [0; SIGNATURE_BYTES / 2];
        let mut second = [0; SIGNATURE_BYTES / 2];
        first.copy_from_slice(&signature[..SIGNATURE_BYTES / 2]);
        second.copy_from_slice(&signature[SIGNATURE_BYTES / 2..]);
        Self {
            signer: key.public(),
            first,
            second,
        }
    }

    /// Checks that this seal covers exactly `value` on `chain`.
    pub fn verify<T: Payload>(&self, value: &T, chain: &ChainId) -> Result<(), WireError> {
        self.verify_bytes::<T>(&encode(value), chain)
    }

    fn verify_bytes<T: Payload>(&self, payload: &[u8], chain: &ChainId) -> Result<(), WireError> {
        let mut signature = [0; SIGNATURE_BYTES];
        signature[..SIGNATURE_BYTES / 2].copy_from_slice(&self.first);
        signature[SIGNATURE_BYTES / 2..].copy_from_slice(&self.second);
        if keys::verify(
            &self.signer,
            &signing_bytes::<T>(chain, payload),
            &signature,
        ) {
            Ok(())
        } else {
            Err(WireError::BadSignature {
                namespace: T::NAMESPACE,
            })
        }
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal(by {})", hex::encode(&self.signer[..4]))
    }
}

/// A noun as it travels: the payload's bytes as received, and the seal over them.
///
/// Whoever receives one reaches the value inside only through [`Signed::verify`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Signed<T> {
    payload: Vec<u8>,
    seal: Seal,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

/// What a verified signature yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    /// The decoded payload.
    pub value: T,
    /// The public key that signed it.
    pub signer: [u8; 32],
    /// BLAKE3 of the signed bytes.
    pub id: [u8; 32],
}

impl<T: Payload> Signed<T> {
    /// Encodes and signs `value` on `chain`.
    pub fn sign(value: &T, key: &SecretKey, chain: &ChainId) -> Self {
        let payload = encode(value);
        debug_assert!(
            payload.len() <= T::MAX_BYTES,
            "{} is oversized",
            T::NAMESPACE
        );
        let seal = Seal::over::<T>(&payload, key, chain);
        Self {
            payload,
            seal,
            kind: PhantomData,
        }
    }

    /// Checks size, then signature, then decodes: in this order, so that unsigned bytes are never parsed.
    pub fn verify(&self, chain: &ChainId) -> Result<Verified<T>, WireError> {
        if self.payload.len() > T::MAX_BYTES {
            return Err(WireError::TooLarge {
                actual: self.payload.len(),
                max: T::MAX_BYTES,
            });
        }
        self.seal.verify_bytes::<T>(&self.payload, chain)?;
        Ok(Verified {
            value: decode(&self.payload, T::MAX_BYTES)?,
            signer: self.seal.signer,
            id: self.id(chain),
        })
    }

    /// Decodes what is claimed to be signed: for what has been verified before, as all that a block of the log holds.
    pub(crate) fn claimed(&self) -> Result<T, WireError> {
        decode(&self.payload, T::MAX_BYTES)
    }

    /// Returns BLAKE3 of the signed bytes, which identifies the thing whoever carries it.
    pub fn id(&self, chain: &ChainId) -> [u8; 32] {
        *blake3::hash(&signing_bytes::<T>(chain, &self.payload)).as_bytes()
    }

    /// Returns the public key that claims to have signed; only [`Signed::verify`] proves it.
    pub fn claimed_signer(&self) -> &[u8; 32] {
        &self.seal.signer
    }
}

impl<T: Payload> std::fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Signed<{}>({} bytes, {:?})",
            T::NAMESPACE,
            self.payload.len(),
            self.seal
        )
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
