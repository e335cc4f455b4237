//! Owns the keys that an operator's home has for signing blocks, and what becomes of their files when one of them
//! takes over.
//!
//! Never decides which key signs: the block log says that. Never removes a key, and never writes over one.
//!
//! ```text
//! keys/node.key                    who the machine is on the network; signs blocks until the first change
//! keys/operator-next.key           drawn, on disk before anyone hears of it; signs once the log says so
//! keys/operator.key                signs blocks since a change
//! keys/operator-retired-HEX.key    signed blocks before a change; never read again
//! ```

use market::NodeId;
use market::keys::SecretKey;

use crate::home::{self, Home};
use crate::identity::{IdentityError, load_key, load_or_create};

/// The key that signs since the last change.
const PRESENT: &str = "operator";

/// The key that is to sign after the next change.
const NEXT: &str = "operator-next";

/// Reads the keys that may sign the next block besides that of the node, newest first.
pub fn load(home: &Home) -> Result<Vec<SecretKey>, IdentityError> {
    let names = [NEXT, PRESENT].into_iter();
    let there = names.filter(|name| home.key(name).exists());
    there.map(|name| load_key(home, name)).collect()
}

/// Returns the key to change to: one that an earlier attempt has left, or a new one. It is on disk.
pub fn prepare(home: &Home) -> Result<SecretKey, IdentityError> {
    load_or_create(home, NEXT)
}

/// Gives the files the names that follow from who signs now. Does nothing where they have them.
pub fn settle(home: &Home, operator: NodeId) -> Result<(), IdentityError> {
    let (next, present) = (home.key(NEXT), home.key(PRESENT));
    if !next.exists() || load_key(home, NEXT)?.node() != operator {
        return Ok(());
    }
    if present.exists() {
        let retired = load_key(home, PRESENT)?.node();
        let name = format!("operator-retired-{retired}");
        home::rename_private(&present, &home.key(&name))?;
    }
    home::rename_private(&next, &present)?;
    Ok(())
}

#[cfg(test)]
mod tests;
