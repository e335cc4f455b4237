//! Owns who a node is: the account key, the node key and the delegation between them, as files that only
//! their owner can read.
//!
//! Never sends a secret anywhere and never logs one.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use market::delegation::{self, Act, Delegation, DelegationError, Permission};
use market::keys::SecretKey;
use market::wire;
use market::{AccountId, Amount, ChainId, NodeId, Signed, Timestamp};

use crate::home::{self, Home, HomeError};

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
}

impl Identity {
    /// Makes both keys and the delegation, unless they exist already; keys are never overwritten.
    pub fn create(home: &Home, chain: &ChainId, now: Timestamp) -> Result<Self, IdentityError> {
        let account_key = load_or_create(home, "account")?;
        let node_key = load_or_create(home, "node")?;
        if !home.delegation().exists() {
            let delegation = Delegation {
                account: account_key.account(),
                node: node_key.node(),
                permission: Permission::SellAndBuy,
                spend_cap: market::amount::SUPPLY_CAP,
                expires_at: now.saturating_add(DELEGATION_LIFETIME),
            };
            let signed = Signed::sign(&delegation, &account_key, chain);
            home::write_private(&home.delegation(), &wire::encode(&signed))?;
        }
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
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(IdentityError::Entropy)?;
    home::write_private(&home.key(name), hex::encode(seed).as_bytes())?;
    Ok(SecretKey::from_seed(seed))
}

/// Reads a key file, after checking that only its owner can.
pub fn load_key(home: &Home, name: &str) -> Result<SecretKey, IdentityError> {
    let path = home.key(name);
    if !path.exists() {
        return Err(IdentityError::Missing);
    }
    check_private(&path)?;
    let text = home::read(&path)?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut seed)
        .map_err(|_| IdentityError::BadKey { path })?;
    Ok(SecretKey::from_seed(seed))
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
