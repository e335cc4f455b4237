//! Owns what a buyer needs, and the reasons why an ask may not fit, in a fixed order.
//!
//! Never looks at an ask; `quote` does.

use std::collections::BTreeSet;
use std::fmt;

use market::gpu::GpuClass;
use market::order::Attributes;
use market::{AccountId, Amount, NodeId, PricePerHour};
use serde::{Deserialize, Serialize};

use crate::quote::Work;

/// Whether a buyer takes a node's word for its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Unproven offers will do, where the market admits them.
    Optional,
    /// Only offers with a certificate in force.
    Required,
}

/// A list of whom somebody would deal with, or would not: nodes, and accounts with all their nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counterparties {
    /// Single machines.
    pub nodes: BTreeSet<NodeId>,
    /// Accounts, whichever of their machines deals.
    pub accounts: BTreeSet<AccountId>,
}

impl Counterparties {
    /// Tells whether a node that deals for an account is on the list, by either name.
    pub fn name(&self, node: &NodeId, account: &AccountId) -> bool {
        self.nodes.contains(node) || self.accounts.contains(account)
    }

    /// Tells whether nobody is on the list.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.accounts.is_empty()
    }
}

/// What a buyer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The account that would pay; its own offers never fit.
    pub buyer: AccountId,
    /// Classes of which one must be met or exceeded; empty for any class, CPUs included.
    pub classes: Vec<GpuClass>,
    /// Memory of one GPU that the job must be able to use, in bytes.
    pub usable_bytes: u64,
    /// GPUs in one host.
    pub gpus: u16,
    /// The longest that the agreement may run, in seconds.
    pub duration_s: u32,
    /// What the offer must be able to do.
    pub attributes: Attributes,
    /// The least sandbox level.
    pub sandbox_level: u8,
    /// Whether only proven offers fit.
    pub proof: Proof,
    /// The most that one GPU may cost for an hour.
    pub max_price: Option<PricePerHour>,
    /// The most that the whole may cost, fees aside.
    pub budget: Option<Amount>,
    /// The only sellers that will do, where there are such.
    pub allowed: Option<Counterparties>,
    /// Sellers that will not do.
    pub denied: Counterparties,
    /// The work of the job, where it is known.
    pub work: Option<Work>,
}

impl Need {
    /// Makes the least demanding need: one GPU or CPU of any class, at any price.
    pub fn new(buyer: AccountId, duration_s: u32) -> Self {
        Self {
            buyer,
            classes: Vec::new(),
            usable_bytes: 0,
            gpus: 1,
            duration_s,
            attributes: Attributes::NONE,
            sandbox_level: 1,
            proof: Proof::Optional,
            max_price: None,
            budget: None,
            allowed: None,
            denied: Counterparties::default(),
            work: None,
        }
    }
}

/// Why an ask does not fit a need, in the order in which the reasons are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfit {
    /// The buyer would pay itself.
    OwnOffer,
    /// The node or its account is on the deny list.
    Denied,
    /// There is an allow list with neither the node nor its account.
    NotAllowed,
    /// Its class is below every accepted one, or of another kind.
    Class,
    /// A job can use too little memory.
    Memory,
    /// The host has too few GPUs.
    Gpus,
    /// It is offered for a shorter time than needed.
    Duration,
    /// It lacks an attribute that is needed.
    Attributes,
    /// Its sandbox is below the level needed.
    Sandbox,
    /// Its figures are unproven.
    NoCertificate,
    /// A GPU-hour costs more than allowed.
    Price,
    /// The work would take longer than the agreement may run.
    TooSlow,
    /// The whole would cost more than the budget.
    Budget,
}

impl Misfit {
    /// All reasons, in the order in which they are tried.
    pub const ALL: [Self; 13] = [
        Self::OwnOffer,
        Self::Denied,
        Self::NotAllowed,
        Self::Class,
        Self::Memory,
        Self::Gpus,
        Self::Duration,
        Self::Attributes,
        Self::Sandbox,
        Self::NoCertificate,
        Self::Price,
        Self::TooSlow,
        Self::Budget,
    ];
}

impl fmt::Display for Misfit {
    /// Prints words that follow a count: `too little memory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OwnOffer => "your own",
            Self::Denied => "on your deny list",
            Self::NotAllowed => "not on your allow list",
            Self::Class => "below the class you want",
            Self::Memory => "too little memory",
            Self::Gpus => "too few GPUs",
            Self::Duration => "too short",
            Self::Attributes => "without what you require",
            Self::Sandbox => "too weak a sandbox",
            Self::NoCertificate => "no certificate",
            Self::TooSlow => "too slow for your time limit",
            Self::Price => "above your price",
            Self::Budget => "above your budget",
        })
    }
}
