//! Owns the tests against peers that cheat: nodes of the test's own, which speak the real protocols on real
//! sockets and do not keep to what they agreed, against processes of the program that do.
//!
//! Never lets a cheat into the program: what these nodes do is written here alone.

mod buyer;
mod consumers;
mod providers;
mod seller;
mod stage;
mod stranger;

pub(crate) use buyer::{Bought, Buyer, job_about};
pub(crate) use stage::Stage;
pub(crate) use stranger::{Lie, Peer, soon};
