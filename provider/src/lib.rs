//! Selling: measures the GPU, offers it, takes reservations, runs leases in confined workers, is paid.
//!
//! ```text
//!  Gauge (report, class) ─► Seller (one task) ─► asks in the book
//!                              │  ▲ reservations from the network
//!                              ▼  │ ended
//!                          LeaseShell (one task a lease) ◄─► agent ◄─► confined worker
//! ```
//! Never holds a second copy of anything that `market-node` owns, and never offers what cannot be confined.

mod agent;
mod api;
pub mod bench;
pub mod check;
mod gauge;
mod kill_switch;
mod lease;
pub mod pricing;
mod reservation;
mod seller;
pub mod worker;
pub mod yielding;

pub use agent::{AgentError, Assignment, Session, WorkerEvent, start as start_worker};
pub use api::provider_router;
pub use gauge::{Gauge, GaugeError, Workplace, driver_of, measure};
pub use seller::{Seller, SellerConfig, SellerHandle, channel as reservation_channel};
