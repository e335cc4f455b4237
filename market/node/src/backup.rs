//! Owns the backup of a wallet: the account's key and what makes a home a member of its market, in one file.
//!
//! Never holds a node's key: a restored home is another machine to the market. Never overwrites anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use libp2p::Multiaddr;
use market::delegation::{Delegation, DelegationError};
use market::genesis::{Genesis, GenesisError};
use market::keys::SecretKey;
use market::{AccountId, Amount, ChainId, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::home::{self, Home};
use crate::identity::{Identity, IdentityError, Setup};
use crate::membership::{Membership, MembershipError};
use crate::sealed::{self, Cost, OpenError, Passphrase, Purpose, SealError};

/// The version of the form that is written.
const VERSION: u16 = 1;

/// The most bytes of a backup's file.
const MAX_BYTES: u64 = sealed::MAX_SEALED_BYTES as u64;

/// What a backup holds beside the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Whose money it is.
    pub account: AccountId,
    /// The market's founding facts.
    pub genesis: Genesis,
    /// Where the market is met.
    pub bootstrap: Vec<Multiaddr>,
    /// What the backed up home's node was allowed; its restored home is allowed as much.
    pub delegation: Delegation,
}

/// A backup that was read, with its secret.
#[derive(Debug)]
pub struct Backup {
    /// What it says.
    pub contents: Contents,
    key: SecretKey,
}

/// Whether a backup needs a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Encrypted with one.
    Encrypted,
    /// For whoever reads the file.
    Plain,
}

/// Why a backup is not made, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a file of that name.
    #[error("{path} is there already, and no backup overwrites a file; choose another name")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted and does not open.
    #[error("the backup {path} does not open: {source}")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// It is not a backup, or not whole.
    #[error("{path} is not a whole backup of a wallet: {why}; use another copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was met.
        why: String,
    },
    /// It is of a later version.
    #[error(
        "the backup has version {0}, which this program does not know; install a newer release"
    )]
    Version(u16),
    /// It cannot be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The home has an account already.
    #[error(
        "{path} is there: this home has an account already, and a key is never overwritten; restore into a new home, \
         with --home DIR"
    )]
    HasAccount {
        /// The key's file.
        path: PathBuf,
    },
    /// The home's node acts for another account.
    #[error(
        "this home's node acts for account {account}, which the backup is not of; restore into a new home, with \
         --home DIR"
    )]
    OtherAccount {
        /// Whose it is.
        account: AccountId,
    },
    /// The home's market cannot be used, or is another.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The keys of the home cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The delegation in the home does not verify.
    #[error(transparent)]
    Delegation(#[from] DelegationError),
    /// The genesis in the backup is not one.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

/// The file's content; under the seal where there is one.
#[derive(Serialize, Deserialize)]
struct Whole {
    nightshift_backup: u16,
    /// 64 hexadecimal digits.
    account_key: String,
    contents: Contents,
    /// BLAKE3 of all that is before.
    checksum: String,
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.account_key.zeroize();
    }
}

impl Whole {
    fn checksum(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"nightshift/backup/1\0");
        hasher.update(self.account_key.as_bytes());
        hasher.update(&serde_json::to_vec(&self.contents).unwrap_or_default());
        hasher.finalize().to_hex().to_string()
    }
}

impl Backup {
    /// Takes together what a home's backup holds; `key` is the account's.
    ///
    /// # Errors
    /// The home is not whole, or the key is of another account.
    pub fn of(home: &Home, key: SecretKey) -> Result<Self, BackupError> {
        let membership = Membership::load(home)?;
        let identity = Identity::load(home, &membership.chain)?;
        let delegation = identity.delegation.verify(&membership.chain);
        let delegation = delegation.map_err(DelegationError::from)?.value;
        if key.account() != identity.account {
            let account = identity.account;
            return Err(BackupError::OtherAccount { account });
        }
        let contents = Contents {
            account: identity.account,
            genesis: membership.genesis,
            bootstrap: membership.bootstrap,
            delegation,
        };
        Ok(Self { contents, key })
    }

    /// Writes the backup into a new file that only its owner can read, encrypted where there is a passphrase.
    ///
    /// # Errors
    /// There is such a file, or it cannot be written; then nothing is left of it.
    pub fn write(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), BackupError> {
        let plain = self.encode();
        let bytes = match passphrase {
            Some(passphrase) => {
                let cost = Cost::STANDARD;
                Zeroizing::new(sealed::seal(
                    &plain,
                    Purpose::WalletBackup,
                    passphrase,
                    cost,
                )?)
            }
            None => plain,
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists {
                path: path.to_owned(),
            },
            _ => failed("create", path)(error),
        })?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        let written = written.and_then(|()| sync_folder(path));
        written.map_err(|error| {
            let _half = fs::remove_file(path); // What went wrong before is what is told.
            failed("write", path)(error)
        })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let seed = Zeroizing::new(self.key.to_seed());
        let mut whole = Whole {
            nightshift_backup: VERSION,
            account_key: hex::encode(*seed),
            contents: self.contents.clone(),
            checksum: String::new(),
        };
        whole.checksum = whole.checksum();
        // Room enough from the start: growing would leave copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(sealed::MAX_SEALED_BYTES / 4));
        serde_json::to_writer_pretty(&mut *bytes, &whole)
            .expect("a backup has text for keys, and memory takes all");
        bytes.push(b'\n');
        bytes
    }

    /// Tells whether a backup's file needs a passphrase.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn form(path: &Path) -> Result<Form, BackupError> {
        match sealed::is_sealed(&read(path)?) {
            true => Ok(Form::Encrypted),
            false => Ok(Form::Plain),
        }
    }

    /// Reads a backup.
    ///
    /// # Errors
    /// It is damaged, of a later version, or the passphrase is wrong.
    pub fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, BackupError> {
        let bytes = read(path)?;
        let bytes =
            match passphrase {
                None => bytes,
                Some(passphrase) => sealed::open(&bytes, Purpose::WalletBackup, passphrase)
                    .map_err(|source| BackupError::Sealed {
                        path: path.to_owned(),
                        source,
                    })?,
            };
        decode(&bytes, path)
    }

    /// Makes a home of the same account: the market, the key, a node's key of its own and a fresh delegation to it,
    /// with the cap of the old one.
    ///
    /// # Errors
    /// The home has an account or another market; or it cannot be written. The key is written last, so that what
    /// failed can be tried again.
    pub fn restore(
        &self,
        home: &Home,
        (now, passphrase): (Timestamp, Option<&Passphrase>),
    ) -> Result<Identity, BackupError> {
        let path = home.key("account");
        if path.exists() {
            return Err(BackupError::HasAccount { path });
        }
        let chain = self.contents.chain();
        Membership::check_free(home, chain)?;
        if home.delegation().exists() {
            let account = Identity::load(home, &chain)?.account;
            if account != self.contents.account {
                return Err(BackupError::OtherAccount { account });
            }
        }
        let (genesis, bootstrap) = (&self.contents.genesis, &self.contents.bootstrap);
        Membership::create(home, genesis.clone(), bootstrap.clone())?;
        let setup = Setup {
            now,
            spend_cap: self.contents.spend_cap(),
            passphrase,
        };
        Ok(Identity::restore(home, (&chain, &self.key), &setup)?)
    }
}

impl Contents {
    /// Returns the chain of the market.
    pub fn chain(&self) -> ChainId {
        self.genesis.chain_id()
    }

    fn spend_cap(&self) -> Amount {
        self.delegation.spend_cap
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io {
        action,
        path,
        source,
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let length = fs::metadata(path).map_err(failed("read", path))?.len();
    if length > MAX_BYTES {
        return Err(BackupError::Damaged {
            path: path.to_owned(),
            why: "it is larger than any backup".to_owned(),
        });
    }
    let bytes = home::read(path).map_err(IdentityError::from)?;
    Ok(Zeroizing::new(bytes))
}

fn decode(bytes: &[u8], path: &Path) -> Result<Backup, BackupError> {
    let damaged = |why: String| BackupError::Damaged {
        path: path.to_owned(),
        why,
    };
    #[derive(Deserialize)]
    struct Versioned {
        nightshift_backup: u16,
    }
    let versioned: Versioned =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if versioned.nightshift_backup > VERSION {
        return Err(BackupError::Version(versioned.nightshift_backup));
    }
    let whole: Whole = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if whole.checksum() != whole.checksum {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(whole.account_key.as_bytes(), &mut *seed)
        .map_err(|error| damaged(format!("its key: {error}")))?;
    let key = SecretKey::from_seed(*seed);
    if key.account() != whole.contents.account {
        return Err(damaged("its key is not that of its account".to_owned()));
    }
    whole.contents.genesis.validate()?;
    let contents = whole.contents.clone();
    Ok(Backup { contents, key })
}

#[cfg(test)]
mod tests;
