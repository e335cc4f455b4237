//! Owns how a secret lies on disk under a passphrase: Argon2id makes a key of the passphrase, XChaCha20-Poly1305
//! seals the secret with it, and a checksum tells a damaged file from a wrong passphrase.
//!
//! Never writes a file, and never keeps a passphrase or an opened secret longer than its caller does.
//!
//! A sealed secret is one JSON object, so that a person who finds the file sees what it is. All of it but the sealed
//! bytes themselves is bound to them, so that nothing of it can be changed without notice.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How every sealed secret begins, so that it is known without being parsed.
const BEGINNING: &[u8] = b"{\n  \"nightshift_sealed\":";

/// The version of the form that is written.
const VERSION: u16 = 1;

/// The most bytes of a sealed secret.
pub const MAX_SEALED_BYTES: usize = 64 << 10;

/// The most that opening may cost, so that a file from elsewhere cannot take the machine down.
const DEAREST: Cost = Cost {
    memory_kib: 1 << 20,
    passes: 16,
    lanes: 16,
};

/// What a person types to open a secret. Its memory is cleared when it goes.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// A passphrase without a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty; one without a character protects nothing")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// Takes what was typed or read, without its line break.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn new(text: Zeroizing<String>) -> Result<Self, EmptyPassphrase> {
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line.is_empty() {
            true => Err(EmptyPassphrase),
            false => Ok(Self(Zeroizing::new(line.to_owned()))),
        }
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

/// What a secret is for: one that was sealed for one purpose is not taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The key of an account.
    AccountKey,
    /// A backup of a wallet.
    WalletBackup,
}

/// What a guess at a passphrase costs, by Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// How often the memory is gone through.
    pub passes: u32,
    /// How many lanes it has.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB, three passes, four lanes: the second recommendation of RFC 9106, for machines with little memory.
    pub const STANDARD: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// The least that the algorithm allows, for tests.
    #[cfg(test)]
    pub(crate) const LEAST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    fn is_allowed(self) -> bool {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = DEAREST;
        self.memory_kib <= memory_kib && self.passes <= passes && self.lanes <= lanes
    }
}

/// Why a secret cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system gave no entropy.
    #[error("the system gave no random bytes to seal with: {0}")]
    Entropy(getrandom::Error),
    /// The algorithm refused.
    #[error("the secret cannot be sealed: {0}")]
    Algorithm(String),
}

/// Why a sealed secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not one, or not whole.
    #[error("it is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// It is of a later version.
    #[error("it has version {0}, which this program does not know; install a newer release")]
    Version(u16),
    /// It was sealed for something else.
    #[error("it holds something else than what is needed here: {0:?}")]
    OtherPurpose(Purpose),
    /// It asks for more work than any secret is worth.
    #[error(
        "opening it would take {} MiB of memory and {} passes, more than any that this program makes; do not trust it",
        .0.memory_kib >> 10, .0.passes
    )]
    TooDear(Cost),
    /// The passphrase is not the one that it was sealed with.
    #[error("the passphrase is wrong: it is not the one that this was encrypted with")]
    WrongPassphrase,
}

/// What is known of a sealed secret without its passphrase; bound to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    nightshift_sealed: u16,
    purpose: Purpose,
    argon2id: Cost,
    salt: String,
    cipher: String,
    nonce: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    head: Head,
    sealed: String,
    /// The first half of BLAKE3 of all that is before.
    checksum: String,
}

/// The one cipher of version 1.
const CIPHER: &str = "xchacha20-poly1305";

impl Head {
    /// Returns the bytes that are bound to the secret.
    fn bound(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn checksum(&self, sealed: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"nightshift/sealed/1\0");
        hasher.update(&self.bound());
        hasher.update(sealed.as_bytes());
        hex::encode(&hasher.finalize().as_bytes()[..16])
    }

    /// Makes the key that the passphrase stands for.
    fn key(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, String> {
        let salt = hex::decode(&self.salt).map_err(|error| format!("the salt: {error}"))?;
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.argon2id;
        let told = |error: argon2::Error| error.to_string();
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(told)?;
        let mut key = Zeroizing::new([0; 32]);
        let algorithm = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let text = passphrase.0.as_bytes();
        algorithm
            .hash_password_into(text, &salt, &mut *key)
            .map_err(told)?;
        Ok(key)
    }

    fn nonce(&self) -> Result<[u8; 24], String> {
        let mut nonce = [0; 24];
        hex::decode_to_slice(&self.nonce, &mut nonce)
            .map_err(|error| format!("the nonce: {error}"))?;
        Ok(nonce)
    }
}

/// Tells whether bytes are those of a sealed secret, whole or not.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(BEGINNING)
}

/// Seals a secret for a purpose.
///
/// # Errors
/// There is no entropy, or no memory.
pub fn seal(
    secret: &[u8],
    purpose: Purpose,
    passphrase: &Passphrase,
    cost: Cost,
) -> Result<Vec<u8>, SealError> {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    getrandom::fill(&mut salt).map_err(SealError::Entropy)?;
    getrandom::fill(&mut nonce).map_err(SealError::Entropy)?;
    let head = Head {
        nightshift_sealed: VERSION,
        purpose,
        argon2id: cost,
        salt: hex::encode(salt),
        cipher: CIPHER.to_owned(),
        nonce: hex::encode(nonce),
    };
    let key = head.key(passphrase).map_err(SealError::Algorithm)?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(&*key));
    let bound = head.bound();
    let message = Payload {
        msg: secret,
        aad: &bound,
    };
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), message)
        .map_err(|error| SealError::Algorithm(error.to_string()))?;
    let sealed = hex::encode(sealed);
    let checksum = head.checksum(&sealed);
    let whole = Sealed {
        head,
        sealed,
        checksum,
    };
    let told = |error: serde_json::Error| SealError::Algorithm(error.to_string());
    let mut bytes = serde_json::to_vec_pretty(&whole).map_err(told)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Opens a secret that was sealed for a purpose.
///
/// # Errors
/// It is damaged, of another version or purpose, or the passphrase is wrong; which of these is told.
pub fn open(
    bytes: &[u8],
    purpose: Purpose,
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let Sealed { head, sealed, .. } = read(bytes)?;
    if head.purpose != purpose {
        return Err(OpenError::OtherPurpose(head.purpose));
    }
    let key = head.key(passphrase).map_err(OpenError::Damaged)?;
    let nonce = head.nonce().map_err(OpenError::Damaged)?;
    let sealed = hex::decode(sealed).map_err(|error| OpenError::Damaged(error.to_string()))?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(&*key));
    let message = Payload {
        msg: &sealed,
        aad: &head.bound(),
    };
    // The checksum has shown that the bytes are whole.
    let secret = cipher.decrypt(XNonce::from_slice(&nonce), message);
    secret
        .map(Zeroizing::new)
        .map_err(|_| OpenError::WrongPassphrase)
}

/// Checks that a sealed secret is whole, which needs no passphrase.
///
/// # Errors
/// It is damaged, or of another version.
pub fn check(bytes: &[u8]) -> Result<(), OpenError> {
    read(bytes).map(|_sealed| ())
}

fn read(bytes: &[u8]) -> Result<Sealed, OpenError> {
    let damaged = |what: &str| OpenError::Damaged(what.to_owned());
    if bytes.len() > MAX_SEALED_BYTES {
        return Err(damaged("it is larger than any such file"));
    }
    if let Ok(Versioned { nightshift_sealed }) = serde_json::from_slice(bytes)
        && nightshift_sealed > VERSION
    {
        return Err(OpenError::Version(nightshift_sealed));
    }
    let whole: Sealed =
        serde_json::from_slice(bytes).map_err(|error| OpenError::Damaged(error.to_string()))?;
    if whole.head.checksum(&whole.sealed) != whole.checksum || whole.head.cipher != CIPHER {
        return Err(damaged("its checksum does not fit"));
    }
    if !whole.head.argon2id.is_allowed() {
        return Err(OpenError::TooDear(whole.head.argon2id));
    }
    Ok(whole)
}

/// What every version begins with.
#[derive(Deserialize)]
struct Versioned {
    nightshift_sealed: u16,
}

#[cfg(test)]
mod tests;
