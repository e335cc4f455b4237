//! Owns how a setting names somebody to deal with: an account, or one machine of it.
//!
//! Never looks anybody up: whoever deals compares.

use std::fmt;
use std::str::FromStr;

use market::{AccountId, NodeId};
use matching::Counterparties;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Somebody to deal with, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counterparty {
    /// An account, with all its machines.
    Account(AccountId),
    /// One machine.
    Node(NodeId),
}

/// A text that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an account's address (night1...) nor a node's 64 hexadecimal digits")]
pub struct UnknownCounterparty(String);

impl Counterparty {
    /// Tells whether `node`, which acts for `account`, is meant.
    pub fn is(&self, account: AccountId, node: NodeId) -> bool {
        match self {
            Self::Account(meant) => *meant == account,
            Self::Node(meant) => *meant == node,
        }
    }
}

impl fmt::Display for Counterparty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl FromStr for Counterparty {
    type Err = UnknownCounterparty;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(node) = text.parse() {
            return Ok(Self::Node(node));
        }
        let account = text.parse().map(Self::Account);
        account.map_err(|_| UnknownCounterparty(text.chars().take(80).collect()))
    }
}

impl Serialize for Counterparty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Counterparty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Gathers a list by what it names.
pub fn listed(list: &[Counterparty]) -> Counterparties {
    let mut gathered = Counterparties::default();
    for counterparty in list {
        match counterparty {
            Counterparty::Account(account) => gathered.accounts.insert(*account),
            Counterparty::Node(node) => gathered.nodes.insert(*node),
        };
    }
    gathered
}
