//! Owns the file of a key that may be encrypted: reading it, and changing between both forms.
//!
//! Never leaves a home without a key: the new form is opened again before it takes the old one's place, whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use market::keys::SecretKey;
use zeroize::Zeroizing;

use super::{IdentityError, check_private, fresh_seed};
use crate::home::{self, Home, HomeError};
use crate::sealed::{self, Cost, Passphrase, Purpose};

/// The name of the account's key in a home.
const NAME: &str = "account";

/// A key as it lies in its file.
#[derive(Debug)]
pub struct AccountKey {
    path: PathBuf,
    stored: Stored,
}

#[derive(Debug)]
enum Stored {
    Plain(SecretKey),
    Sealed(Vec<u8>),
}

impl AccountKey {
    /// Reads the account's key of a home; an encrypted one is not opened yet.
    ///
    /// # Errors
    /// It is not there, others can read it, or it is damaged.
    pub fn load(home: &Home) -> Result<Self, IdentityError> {
        let path = home.key(NAME);
        if !path.exists() {
            return Err(IdentityError::AccountElsewhere { path });
        }
        Self::read(path)
    }

    /// Reads a key file, after checking that only its owner can.
    pub(super) fn read(path: PathBuf) -> Result<Self, IdentityError> {
        check_private(&path)?;
        let bytes = Zeroizing::new(home::read(&path)?);
        let stored = if sealed::is_sealed(&bytes) {
            let whole = sealed::check(&bytes).map(|()| bytes.to_vec());
            Stored::Sealed(whole.map_err(|source| failed(&path, source))?)
        } else {
            let mut seed = Zeroizing::new([0; 32]);
            if hex::decode_to_slice(bytes.trim_ascii(), &mut *seed).is_err() {
                return Err(IdentityError::BadKey { path });
            }
            Stored::Plain(SecretKey::from_seed(*seed))
        };
        Ok(Self { path, stored })
    }

    /// Tells whether a passphrase is needed to open it.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.stored, Stored::Sealed(_))
    }

    /// Returns the key itself.
    ///
    /// # Errors
    /// It is encrypted, and there is no passphrase or a wrong one.
    pub fn open(self, passphrase: Option<&Passphrase>) -> Result<SecretKey, IdentityError> {
        let Self { path, stored } = self;
        match (stored, passphrase) {
            (Stored::Plain(key), _) => Ok(key),
            (Stored::Sealed(bytes), Some(passphrase)) => unsealed(&path, &bytes, passphrase),
            (Stored::Sealed(_), None) => Err(IdentityError::Encrypted { path }),
        }
    }
}

fn failed(path: &Path, source: sealed::OpenError) -> IdentityError {
    IdentityError::Sealed {
        path: path.to_owned(),
        source,
    }
}

fn unsealed(
    path: &Path,
    bytes: &[u8],
    passphrase: &Passphrase,
) -> Result<SecretKey, IdentityError> {
    let secret = sealed::open(bytes, Purpose::AccountKey, passphrase);
    let secret = secret.map_err(|source| failed(path, source))?;
    let seed = Zeroizing::new(<[u8; 32]>::try_from(&secret[..]).map_err(|_| {
        let what = "it holds no key of 32 bytes".to_owned();
        failed(path, sealed::OpenError::Damaged(what))
    })?);
    Ok(SecretKey::from_seed(*seed))
}

/// Reads the account's key, or draws one and writes it, encrypted where there is a passphrase.
pub(super) fn load_or_create(
    home: &Home,
    passphrase: Option<&Passphrase>,
) -> Result<AccountKey, IdentityError> {
    let path = home.key(NAME);
    if !path.exists() {
        let key = SecretKey::from_seed(*fresh_seed()?);
        write(&path, &key, passphrase)?;
    }
    AccountKey::read(path)
}

/// Writes a key in the place of what is there. What was written is looked at before it counts.
pub(super) fn write(
    path: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
) -> Result<(), IdentityError> {
    let seed = Zeroizing::new(key.to_seed());
    let bytes = match passphrase {
        None => Zeroizing::new(hex::encode(*seed).into_bytes()),
        Some(passphrase) => {
            let bytes = sealed::seal(&*seed, Purpose::AccountKey, passphrase, Cost::STANDARD)?;
            unsealed(path, &bytes, passphrase)?;
            Zeroizing::new(bytes)
        }
    };
    home::write_private(path, &bytes)?;
    Ok(())
}

/// Encrypts the account's key, which lies open.
///
/// # Errors
/// It is encrypted already, not there, or cannot be written; then it is as it was.
pub fn encrypt(home: &Home, passphrase: &Passphrase) -> Result<(), IdentityError> {
    let _lock = hold(home)?;
    let key = AccountKey::load(home)?;
    if key.is_encrypted() {
        return Err(IdentityError::AlreadyEncrypted { path: key.path });
    }
    let path = key.path.clone();
    write(&path, &key.open(None)?, Some(passphrase))
}

/// Puts the account's key back in the open.
///
/// # Errors
/// It is not encrypted, not there, or the passphrase is wrong; then it is as it was.
pub fn decrypt(home: &Home, passphrase: &Passphrase) -> Result<(), IdentityError> {
    rewrite(home, passphrase, None)
}

/// Encrypts the account's key with another passphrase.
///
/// # Errors
/// It is not encrypted, not there, or the passphrase is wrong; then it is as it was.
pub fn change_passphrase(
    home: &Home,
    old: &Passphrase,
    new: &Passphrase,
) -> Result<(), IdentityError> {
    rewrite(home, old, Some(new))
}

fn rewrite(home: &Home, old: &Passphrase, new: Option<&Passphrase>) -> Result<(), IdentityError> {
    let _lock = hold(home)?;
    let key = AccountKey::load(home)?;
    if !key.is_encrypted() {
        return Err(IdentityError::NotEncrypted { path: key.path });
    }
    let path = key.path.clone();
    write(&path, &key.open(Some(old))?, new)
}

/// Keeps other commands from changing the key at the same time.
fn hold(home: &Home) -> Result<File, IdentityError> {
    let path = home.key(NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(IdentityError::AccountElsewhere { path });
        }
        Err(source) => {
            let action = "open";
            return Err(HomeError::Io {
                action,
                path,
                source,
            }
            .into());
        }
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_held) => Err(IdentityError::InUse { path }),
    }
}

#[cfg(test)]
mod tests;
