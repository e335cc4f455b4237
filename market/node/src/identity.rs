//! Owns who a node is: the account key, the node key and the delegation between them, as files that only
//! their owner can read. The account key may lie encrypted: a node runs without it.
//!
//! Never sends a secret anywhere and never logs one.

mod account_key;

pub use account_key::{AccountKey, change_passphrase, decrypt, encrypt};

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use market::delegation::{self, Act, Delegation, DelegationError, Permission};
use market::keys::SecretKey;
use market::wire;
use market::{AccountId, Amount, ChainId, NodeId, Signed, Timestamp};
use zeroize::Zeroizing;

use crate::home::{self, Home, HomeError};
use crate::sealed::{OpenError, Passphrase, SealError};

/// How long the first delegation of an account to its node lasts: a year.
pub const DELEGATION_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The most bytes of a delegation's file.
const MAX_DELEGATION_BYTES: usize = 1 << 10;

/// A node's keys and its right to act for its account.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account in whose name this node deals.
    pub account: AccountId,
    /// The machine's own key.
    pub node_key: SecretKey,
    /// The account's statement that this node acts for it.
    pub delegation: Signed<Delegation>,
}

/// Why keys cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The system gave no entropy.
    #[error("the system gave no random bytes for a key: {0}")]
    Entropy(getrandom::Error),
    /// A key file holds something else.
    #[error("{path} does not hold a key of 64 hexadecimal digits; restore it from a backup")]
    BadKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read a key file.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    OpenKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The delegation does not let this node act.
    #[error(
        "the delegation in this home cannot be used: {0}; restore it, or run `nightshift init` in another home"
    )]
    Delegation(#[from] DelegationError),
    /// There are no keys yet.
    #[error("this home has no keys yet; run `nightshift init --join HASH@ADDRESS` first")]
    Missing,
    /// The account key lies in another home.
    #[error(
        "{path} is not there: the account key of this home is kept elsewhere; run this where it lies, or restore it \
         with `nightshift wallet restore`"
    )]
    AccountElsewhere {
        /// The file that would hold it.
        path: PathBuf,
    },
    /// A key is needed that is encrypted.
    #[error("{path} is encrypted with a passphrase, which is needed here")]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// An encrypted key does not open.
    #[error("{path} does not open: {source}")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// A key cannot be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is encrypted already.
    #[error("{path} is encrypted already; `nightshift wallet passphrase` changes the passphrase")]
    AlreadyEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// It is not encrypted.
    #[error("{path} is not encrypted; `nightshift wallet encrypt` does that")]
    NotEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// Another command changes the same key.
    #[error("another command is changing {path} now; try again when it is done")]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

/// What a person decides when an account is made.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// When the first delegation begins.
    pub now: Timestamp,
    /// The most that deposits opened under it may add up to.
    pub spend_cap: Amount,
    /// What the account key is encrypted with, if with anything.
    pub passphrase: Option<&'a Passphrase>,
}

impl Setup<'_> {
    /// Leaves the key unencrypted and the spending unlimited.
    pub fn plain(now: Timestamp) -> Self {
        Self {
            now,
            spend_cap: market::amount::SUPPLY_CAP,
            passphrase: None,
        }
    }
}

impl Identity {
    /// Makes both keys and the delegation as [`Setup::plain`] says, unless they exist already.
    ///
    /// # Errors
    /// As for [`Self::set_up`].
    pub fn create(home: &Home, chain: &ChainId, now: Timestamp) -> Result<Self, IdentityError> {
        Self::set_up(home, chain, &Setup::plain(now))
    }

    /// Makes both keys and the delegation, unless they exist already; keys are never overwritten.
    ///
    /// # Errors
    /// Keys cannot be made, written or read; or an encrypted account key is there and the passphrase is not.
    pub fn set_up(home: &Home, chain: &ChainId, setup: &Setup) -> Result<Self, IdentityError> {
        let account_key = account_key::load_or_create(home, setup.passphrase)?;
        load_or_create(home, "node")?;
        if !home.delegation().exists() {
            let account_key = account_key.open(setup.passphrase)?;
            delegate(home, &account_key, (chain, setup))?;
        }
        Self::load(home, chain)
    }

    /// Puts an account's key into a home that has none, with a node's key of its own and a fresh delegation. The
    /// account's key is written last.
    pub(crate) fn restore(
        home: &Home,
        (chain, account_key): (&ChainId, &SecretKey),
        setup: &Setup,
    ) -> Result<Self, IdentityError> {
        load_or_create(home, "node")?;
        delegate(home, account_key, (chain, setup))?;
        account_key::write(&home.key("account"), account_key, setup.passphrase)?;
        Self::load(home, chain)
    }

    /// Reads the node key and the delegation; the account key may stay offline.
    pub fn load(home: &Home, chain: &ChainId) -> Result<Self, IdentityError> {
        if !home.delegation().exists() {
            return Err(IdentityError::Missing);
        }
        let node_key = load_key(home, "node")?;
        let bytes = home::read(&home.delegation())?;
        let delegation: Signed<Delegation> =
            wire::decode(&bytes, MAX_DELEGATION_BYTES).map_err(DelegationError::from)?;
        let stated = delegation.verify(chain).map_err(DelegationError::from)?;
        let account = stated.value.account;
        let act = Act {
            account,
            node: node_key.node(),
            wanted: stated.value.permission,
        };
        match delegation::authorise(&delegation, act, chain, wall_now()) {
            // It still closes what is open, which needs no delegation.
            Err(error @ DelegationError::Expired) => {
                tracing::warn!(%error, "this node can neither sell nor buy");
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(Self {
            account,
            node_key,
            delegation,
        })
    }

    /// Signs a new delegation of the account to this home's node in place of the old one. A node that runs goes on
    /// with the old one until it is started again.
    ///
    /// # Errors
    /// There is no node key, or nothing can be written.
    pub fn renew(
        home: &Home,
        (chain, account_key): (&ChainId, &SecretKey),
        (spend_cap, expires_at): (Amount, Timestamp),
    ) -> Result<Delegation, IdentityError> {
        let delegation = Delegation {
            account: account_key.account(),
            node: load_key(home, "node")?.node(),
            permission: Permission::SellAndBuy,
            spend_cap,
            expires_at,
        };
        let signed = Signed::sign(&delegation, account_key, chain);
        home::write_private(&home.delegation(), &wire::encode(&signed))?;
        Ok(delegation)
    }

    /// Returns this machine's public identity.
    pub fn node(&self) -> NodeId {
        self.node_key.node()
    }

    /// Returns the most that agreements opened by this node may lock in all.
    pub fn spend_cap(&self, chain: &ChainId) -> Amount {
        let verified = self.delegation.verify(chain);
        verified.map_or(Amount::ZERO, |verified| verified.value.spend_cap)
    }
}

/// Signs and writes the delegation of an account to a home's node.
fn delegate(
    home: &Home,
    account_key: &SecretKey,
    (chain, setup): (&ChainId, &Setup),
) -> Result<(), IdentityError> {
    let expires_at = setup.now.saturating_add(DELEGATION_LIFETIME);
    Identity::renew(home, (chain, account_key), (setup.spend_cap, expires_at))?;
    Ok(())
}

/// Returns this machine's own time, which is only good for telling whether a delegation has lapsed.
fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Reads a key, or draws and writes a new one.
pub fn load_or_create(home: &Home, name: &str) -> Result<SecretKey, IdentityError> {
    if home.key(name).exists() {
        return load_key(home, name);
    }
    let seed = fresh_seed()?;
    let digits = Zeroizing::new(hex::encode(*seed));
    home::write_private(&home.key(name), digits.as_bytes())?;
    Ok(SecretKey::from_seed(*seed))
}

fn fresh_seed() -> Result<Zeroizing<[u8; 32]>, IdentityError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(IdentityError::Entropy)?;
    Ok(seed)
}

/// Reads a key file that is not encrypted, after checking that only its owner can.
pub fn load_key(home: &Home, name: &str) -> Result<SecretKey, IdentityError> {
    let path = home.key(name);
    if !path.exists() {
        return Err(IdentityError::Missing);
    }
    AccountKey::read(path)?.open(None)
}

#[cfg(unix)]
fn check_private(path: &std::path::Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).map_err(|source| HomeError::Io {
        action: "read the permissions of",
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::OpenKey {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_path: &std::path::Path) -> Result<(), IdentityError> {
    Ok(()) // The home folder's access list protects its files there.
}

/// Draws a number that no two requests share.
pub fn fresh_nonce() -> Result<u64, IdentityError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(IdentityError::Entropy)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests;
