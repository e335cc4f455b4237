//! Buying: reads a job file, ranks offers, reserves the best, pays while the work goes on, and keeps what
//! comes back.
//!
//! ```text
//!  job.toml ─► JobFile ─► inputs as blobs, JobSpec ─► quote ─► Reserve, next offer where one is refused
//!                                                                │
//!       output folder ◄─ artefacts ◄─ LeaseShell (one task a job) ◄─► market_node::lease
//! ```
//! Never holds a second copy of anything that `market-node` owns, and never pays beyond what the job file's
//! budget says.

mod api;
mod buyer;
mod events;
mod fetch;
mod inputs;
mod job_file;
mod lease;
mod need;
mod opinion;
mod record;
mod reserve;
mod run;
mod runs;
mod standing;
mod verdict;

pub use api::consumer_router;
pub use buyer::{Buyer, RunError};
pub use fetch::FilesError;
pub use inputs::InputError;
pub use job_file::{
    Budget, JOB_KEYS, JobFile, JobFileError, JobKey, JobKeyKind, Mistake, Needs, Task,
    job_reference,
};
pub use reserve::ReserveError;
pub use run::LeftOpen;
pub use runs::FindError;
