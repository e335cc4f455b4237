//! Owns the lease: the machine that runs one agreement, from its opening to the signed receipt, for
//! payer and payee alike. It decides when work may run, which voucher is due, and how the end is settled.
//!
//! Never performs I/O: the shell (one actor on each side) feeds it [`Input`]s and the time, and carries out
//! its [`Output`]s in order. `Output::Persist` is flushed to disk before the next output is looked at, so
//! that no promise leaves a machine that could forget it.
//!
//! ```text
//!  payer's shell                 payer's Lease      payee's Lease                 payee's shell
//!       | Opened ---------------------> |                 | <--------------------- Opened |
//!       |                               |                 | ProveState, FetchInputs ----> |
//!       |                               | <---- Phase --- | StartWorker ----------------> |
//!       |                               | <---- Due ----- |                               |
//!       | <----------- Persist(voucher) | --- Voucher --> | Persist(voucher) -----------> |
//!       | <--------------- FetchArtefact| <-- Artefact -- | <--------------- ArtefactMade |
//!       | ArtefactStored -------------> | --- Delivered > |                               |
//!       |                               | <-- Finished -- | <----------------- WorkerDone |
//!       |                               |                 | CoopClose ------------------> |
//!       | <---------------- AskSettled  | <-- Receipt --- | <-------------------- Settled |
//!       | Settled --------------------> | --- Receipt --> | Persist(receipt), Ended ----> |
//! ```

mod claim;
mod input;
mod output;
mod payee;
mod payer;
mod proof;
mod record;
mod state;
mod timing;

pub use input::{Gone, Input, Message, Rejected};
pub use output::{Loss, Output, Record};
pub use record::{PayerRecord, Purpose, ResumeError};
pub use state::{Artefact, Ending, Lease, MAX_ARTEFACTS, Phase, Role, WaitsFor};
pub use timing::Timing;

#[cfg(test)]
mod tests;
