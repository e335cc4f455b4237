//! Owns signing and verifying with ed25519 keys.
//!
//! Never draws entropy: a secret key is made from 32 bytes that the caller drew. Verification is
//! always strict (RFC 8032 without cofactor, small-order keys refused).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::ids::{AccountId, NodeId};

/// Length of an ed25519 signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// A secret ed25519 key. Its `Debug` form never shows the secret.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes a key from 32 secret bytes, which must come from a cryptographic source of entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Returns the 32 secret bytes, for writing a key file.
    pub fn to_seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Returns the 32 bytes of the public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Returns the public key as the owner of money.
    pub fn account(&self) -> AccountId {
        AccountId::from_bytes(self.public())
    }

    /// Returns the public key as a machine's identity.
    pub fn node(&self) -> NodeId {
        NodeId::from_bytes(self.public())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(public {})", self.node().short())
    }
}

/// Tells whether `signature` over `message` was made by the key whose public bytes are `public`.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    VerifyingKey::from_bytes(public).is_ok_and(|key| {
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    })
}
