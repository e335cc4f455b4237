//! Owns which market a home belongs to: its genesis, and the addresses where the market is met.
//!
//! Never contacts anyone; the genesis that a peer sends is checked here against the join string's hash.

use std::fmt;
use std::str::FromStr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use market::ChainId;
use market::genesis::{Genesis, GenesisError};

use crate::home::{self, Home, HomeError};

/// What a newcomer needs: which market, and one address to meet it at. Written `HASH@MULTIADDR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinString {
    /// The market's chain id.
    pub chain: ChainId,
    /// An operator's address, with its `/p2p/` part.
    pub address: Multiaddr,
}

/// Why a join string is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a join string ({problem}); it looks like \
     HASH@/ip4/203.0.113.7/tcp/4001/p2p/12D3Koo..., and `nightshift operator run` prints it"
)]
pub struct JoinStringError {
    text: String,
    problem: String,
}

impl FromStr for JoinString {
    type Err = JoinStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |problem: String| JoinStringError {
            text: text.chars().take(200).collect(),
            problem,
        };
        let (chain, address) = text
            .trim()
            .split_once('@')
            .ok_or_else(|| refuse("no @ in it".to_owned()))?;
        let chain = chain.parse().map_err(|error| refuse(format!("{error}")))?;
        let address: Multiaddr = address
            .parse()
            .map_err(|error| refuse(format!("the address: {error}")))?;
        if !address.iter().any(|part| matches!(part, Protocol::P2p(_))) {
            return Err(refuse("the address lacks its /p2p/ part".to_owned()));
        }
        Ok(Self { chain, address })
    }
}

impl fmt::Display for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.chain, self.address)
    }
}

/// A home's market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The founding facts.
    pub genesis: Genesis,
    /// BLAKE3 of them.
    pub chain: ChainId,
    /// Where the market is met; empty for the operator itself.
    pub bootstrap: Vec<Multiaddr>,
}

/// Why a home has no usable market.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The home has joined no market.
    #[error("this home has joined no market; run `nightshift init --join HASH@ADDRESS` first")]
    NotJoined,
    /// The genesis file is damaged.
    #[error("the genesis file of this home cannot be read ({0}); run `nightshift init` again")]
    Damaged(serde_json::Error),
    /// The genesis is not one that a market can start from.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The peer sent another market's genesis.
    #[error("the peer sent the genesis of {received}, not of {wanted}; check the join string")]
    OtherMarket {
        /// What the join string names.
        wanted: ChainId,
        /// What arrived.
        received: ChainId,
    },
    /// The home belongs to another market already.
    #[error("this home belongs to market {present}; use another --home DIR for {wanted}")]
    AlreadyMember {
        /// The home's market.
        present: ChainId,
        /// The market to join.
        wanted: ChainId,
    },
}

impl Membership {
    /// Writes the market's facts into a home that has none, or has the same.
    pub fn create(
        home: &Home,
        genesis: Genesis,
        bootstrap: Vec<Multiaddr>,
    ) -> Result<Self, MembershipError> {
        genesis.validate()?;
        let chain = genesis.chain_id();
        Self::check_free(home, chain)?;
        let json = serde_json::to_vec_pretty(&genesis).map_err(MembershipError::Damaged)?;
        home::write_private(&home.genesis(), &json)?;
        let lines: String = bootstrap
            .iter()
            .map(|address| format!("{address}\n"))
            .collect();
        home::write_private(&home.bootstrap(), lines.as_bytes())?;
        Ok(Self {
            genesis,
            chain,
            bootstrap,
        })
    }

    /// Refuses a home that belongs to a market other than `wanted`.
    pub fn check_free(home: &Home, wanted: ChainId) -> Result<(), MembershipError> {
        match Self::load(home) {
            Ok(present) if present.chain != wanted => Err(MembershipError::AlreadyMember {
                present: present.chain,
                wanted,
            }),
            Ok(_) | Err(MembershipError::NotJoined) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks that a genesis received from a peer is the one that the join string names.
    pub fn check_received(genesis: &Genesis, wanted: ChainId) -> Result<(), MembershipError> {
        genesis.validate()?;
        let received = genesis.chain_id();
        if received != wanted {
            return Err(MembershipError::OtherMarket { wanted, received });
        }
        Ok(())
    }

    /// Reads the market's facts.
    pub fn load(home: &Home) -> Result<Self, MembershipError> {
        if !home.genesis().exists() {
            return Err(MembershipError::NotJoined);
        }
        let genesis: Genesis = serde_json::from_slice(&home::read(&home.genesis())?)
            .map_err(MembershipError::Damaged)?;
        genesis.validate()?;
        let text = match home.bootstrap().exists() {
            true => home::read(&home.bootstrap())?,
            false => Vec::new(),
        };
        let bootstrap = String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect();
        let chain = genesis.chain_id();
        Ok(Self {
            genesis,
            chain,
            bootstrap,
        })
    }
}

#[cfg(test)]
mod tests;
