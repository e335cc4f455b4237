//! Owns a replica of the order book: registers, the beacons that keep them alive, and certificates.
//!
//! Never trusts the order of arrival: below its capacity, two books that were given the same messages
//! and certificates are equal, however these came. What stands is decided by the `now` of each
//! question; [`Book::expire`] only frees memory. Nothing outside this module sees how orders are kept.

mod maker;
mod shelf;
mod view;

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{
    Ask, AskFigures, BookMessage, Evidence, Order, OrderBody, OrderError, Register, Sequence,
};
use market::reputation::Reputation;
use market::{BlobHash, NodeId, OrderId, Timestamp};

use crate::checked::{Checked, Message};
use maker::Maker;
pub(crate) use shelf::{Head, Row, Run, Shelf};
use shelf::{Known, Shelves};

pub(crate) use view::half_way;
pub use view::{ClassSummary, ListedAsk, ListedBid};

/// Who may post orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posting {
    /// Nodes with a listing certificate in force.
    Certified,
    /// Every node: for small private markets, as their genesis says.
    Open,
}

/// The most that a book holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Nodes with at least one order or beacon.
    pub makers: usize,
    /// Registers, those that hold a cancellation included.
    pub orders: usize,
}

impl Default for Capacity {
    /// Ten thousand nodes and a hundred thousand registers, about 60 MB.
    fn default() -> Self {
        Self {
            makers: 10_000,
            orders: 100_000,
        }
    }
}

/// What a listing certificate says, once the operators' signatures on it were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingCertificate {
    /// Its content id, which asks name.
    pub id: BlobHash,
    /// The node that it is about.
    pub node: NodeId,
    /// The best class that the node proved.
    pub class: GpuClass,
    /// The GPUs that were challenged together.
    pub gpus: u16,
    /// The best figures that the node proved.
    pub figures: AskFigures,
    /// When it ends, in protocol time.
    pub expires_at: Timestamp,
}

impl ListingCertificate {
    /// Returns until when it proves all that an ask claims; the beginning of time where it does not.
    fn proves_until(&self, ask: &Ask) -> Timestamp {
        let proves = ask.evidence == Evidence::Certificate(self.id)
            && self.class.satisfies(ask.class)
            && ask.gpus <= self.gpus
            && ask.figures.within(&self.figures);
        match proves {
            true => self.expires_at,
            false => Timestamp::from_millis(0),
        }
    }
}

/// Whether an ask's class and figures were proved to the operators. Proven ones rank first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A certificate in force covers all that the ask claims.
    Proven,
    /// There is only the node's own word.
    Unproven,
}

/// What a message changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An ask or a bid now holds the register.
    Placed {
        /// The register.
        register: Register,
        /// The order that holds it.
        order: OrderId,
    },
    /// The register was emptied.
    Cancelled {
        /// The register.
        register: Register,
    },
    /// A node says which of its orders are alive.
    Beacon {
        /// The node.
        node: NodeId,
    },
}

/// Why a message changed nothing. None of these is the sender's fault for sure, so none is punished:
/// the message is dropped and not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A field or a time is out of range.
    #[error(transparent)]
    Invalid(#[from] OrderError),
    /// The same or a newer one is here already.
    #[error("the same or a newer message is here already")]
    Superseded,
    /// The node has no certificate, and this market wants one.
    #[error("node {node} has no listing certificate in force")]
    NotCertified {
        /// The node.
        node: NodeId,
    },
    /// The book is full, and what came first stays.
    #[error("the book is full: {capacity:?}")]
    Full {
        /// The most that it holds.
        capacity: Capacity,
    },
}

/// A replica of the order book.
#[derive(Debug, Clone)]
pub struct Book {
    posting: Posting,
    capacity: Capacity,
    makers: BTreeMap<NodeId, Maker>,
    certificates: BTreeMap<NodeId, ListingCertificate>,
    /// Registers over all makers.
    orders: usize,
    /// What this node thinks of those that it has dealt with.
    reputations: BTreeMap<NodeId, Reputation>,
    /// The asks of all makers, for looking through.
    shelves: Shelves,
}

impl PartialEq for Book {
    /// The same registers, beacons, certificates and opinions. How asks are laid out follows from these, and from when
    /// memory was last freed.
    fn eq(&self, other: &Self) -> bool {
        self.posting == other.posting
            && self.capacity == other.capacity
            && self.makers == other.makers
            && self.certificates == other.certificates
            && self.reputations == other.reputations
    }
}

impl Eq for Book {}

impl Book {
    /// Makes an empty book.
    pub fn new(posting: Posting, capacity: Capacity) -> Self {
        Self {
            posting,
            capacity,
            makers: BTreeMap::new(),
            certificates: BTreeMap::new(),
            orders: 0,
            reputations: BTreeMap::new(),
            shelves: Shelves::default(),
        }
    }

    /// Returns who may post.
    pub fn posting(&self) -> Posting {
        self.posting
    }

    /// Returns how many registers are held, those with a cancellation or an order past its time included.
    pub fn registers(&self) -> usize {
        self.orders
    }

    /// Returns the highest sequence that `node` has signed, as far as this book knows. What the node signs next must
    /// be above it, or it is taken for old news.
    pub fn newest_sequence(&self, node: &NodeId) -> Option<Sequence> {
        self.makers.get(node).and_then(Maker::newest_sequence)
    }

    /// Takes a message: writes its register if it wins there.
    pub fn apply(&mut self, message: Message, now: Timestamp) -> Result<Change, Refused> {
        let node = match &message {
            Message::Order(order) => {
                order.value().validate(now)?;
                order.node()
            }
            Message::Beacon(beacon) => {
                beacon.value().validate(now)?;
                beacon.node()
            }
        };
        self.admit(node, now)?;
        match message {
            Message::Order(order) => self.write(order),
            Message::Beacon(beacon) => {
                self.maker(node)?.hear(beacon)?;
                self.shelve(node);
                Ok(Change::Beacon { node })
            }
        }
    }

    fn admit(&self, node: NodeId, now: Timestamp) -> Result<(), Refused> {
        let certified = || {
            let certificate = self.certificates.get(&node);
            certificate.is_some_and(|certificate| now < certificate.expires_at)
        };
        match self.posting {
            Posting::Certified if !certified() => Err(Refused::NotCertified { node }),
            Posting::Certified | Posting::Open => Ok(()),
        }
    }

    fn write(&mut self, order: Checked<Order>) -> Result<Change, Refused> {
        let register = Register {
            node: order.node(),
            slot: order.value().slot,
        };
        let id = OrderId::from_bytes(*order.id());
        let is_empty = order.value().body == OrderBody::Empty;
        let held = self.makers.get(&register.node);
        let is_new = !held.is_some_and(|maker| maker.holds(register.slot));
        if is_new && self.orders >= self.capacity.orders {
            return Err(Refused::Full {
                capacity: self.capacity,
            });
        }
        self.maker(register.node)?.write(order)?;
        self.orders += usize::from(is_new);
        self.shelve(register.node);
        Ok(if is_empty {
            Change::Cancelled { register }
        } else {
            Change::Placed {
                register,
                order: id,
            }
        })
    }

    fn maker(&mut self, node: NodeId) -> Result<&mut Maker, Refused> {
        let is_full = self.makers.len() >= self.capacity.makers;
        if is_full && !self.makers.contains_key(&node) {
            return Err(Refused::Full {
                capacity: self.capacity,
            });
        }
        Ok(self.makers.entry(node).or_default())
    }

    /// Lays the asks of a maker out anew, after anything of it has changed.
    fn shelve(&mut self, node: NodeId) {
        let certificate = self.certificates.get(&node);
        let reputations = &self.reputations;
        if let Some(maker) = self.makers.get_mut(&node) {
            let reputation = reputation_of(reputations, node);
            let known = |ask: &Ask, until| known(ask, until, (certificate, reputation));
            // What does not stand any more is left to `expire`: nothing here knows what time it is.
            let beginning = Timestamp::from_millis(0);
            maker.shelve((node, beginning), &mut self.shelves, known);
        }
    }

    /// Notes what this node thinks of a seller, by which its offers rank from now on. No other replica knows of it.
    ///
    /// Returns whether it was noted: of as many nodes as the book holds makers.
    pub fn rate(&mut self, node: NodeId, reputation: Reputation) -> bool {
        let has_room = self.reputations.len() < self.capacity.makers;
        if !has_room && !self.reputations.contains_key(&node) {
            return false;
        }
        self.reputations.insert(node, reputation);
        self.shelve(node);
        true
    }

    /// Takes a certificate whose signatures the caller has checked; the one that ends last wins.
    ///
    /// Returns whether it is now the node's certificate.
    pub fn certify(&mut self, certificate: ListingCertificate, now: Timestamp) -> bool {
        let rank = |certificate: &ListingCertificate| (certificate.expires_at, certificate.id);
        let held = self.certificates.get(&certificate.node);
        let is_better = held.is_none_or(|held| rank(held) < rank(&certificate));
        let has_room = held.is_some() || self.certificates.len() < self.capacity.makers;
        let wins = is_better && has_room && now < certificate.expires_at;
        if wins {
            let node = certificate.node;
            self.certificates.insert(node, certificate);
            self.shelve(node);
        }
        wins
    }

    /// Returns the standing of an ask of `node` at `now`.
    pub fn standing(&self, node: NodeId, ask: &Ask, now: Timestamp) -> Standing {
        match now < proven_until(self.certificates.get(&node), ask) {
            true => Standing::Proven,
            false => Standing::Unproven,
        }
    }

    /// Forgets what can no longer matter at `now`, and returns how many registers were freed.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let before = self.orders;
        self.certificates
            .retain(|_, certificate| now < certificate.expires_at);
        let (certificates, reputations) = (&self.certificates, &self.reputations);
        let shelves = &mut self.shelves;
        self.makers.retain(|node, maker| {
            maker.expire(now);
            let knowledge = (certificates.get(node), reputation_of(reputations, *node));
            maker.shelve((*node, now), shelves, |ask, until| {
                known(ask, until, knowledge)
            });
            !maker.is_idle()
        });
        self.orders = self.makers.values().map(Maker::registers).sum();
        before - self.orders
    }

    /// Returns every message that still matters at `now`, signed as it came, for a peer that joins late.
    pub fn messages(&self, now: Timestamp) -> impl Iterator<Item = BookMessage> + '_ {
        self.makers
            .values()
            .flat_map(move |maker| maker.messages(now))
    }

    /// Returns BLAKE3 over all that still matters at `now`; equal in two replicas that hold the same.
    pub fn digest(&self, now: Timestamp) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"nightshift/book/1");
        for maker in self.makers.values() {
            for id in maker.ids(now) {
                hasher.update(id);
            }
        }
        *hasher.finalize().as_bytes()
    }
}

fn reputation_of(reputations: &BTreeMap<NodeId, Reputation>, node: NodeId) -> Reputation {
    reputations.get(&node).copied().unwrap_or_default()
}

/// Returns what is known of an ask that stands `until`.
fn known(
    ask: &Ask,
    until: Timestamp,
    (certificate, reputation): (Option<&ListingCertificate>, Reputation),
) -> Known {
    Known {
        stands_until: until,
        proven_until: proven_until(certificate, ask),
        reputation,
    }
}

/// Returns until when an ask is proved, by the certificate of its node.
fn proven_until(certificate: Option<&ListingCertificate>, ask: &Ask) -> Timestamp {
    let until = certificate.map(|certificate| certificate.proves_until(ask));
    until.unwrap_or(Timestamp::from_millis(0))
}

#[cfg(test)]
mod tests;
