//! Owns what each decoder of this crate that the ledger stands on must hold to, whatever bytes come: requests and
//! answers, segments of the block log, the state kept beside it, values of the store.
//!
//! Compiled for tests and for fuzzing alone. Never makes bytes up: the tests beside it and the fuzzer in
//! `tests/fuzz` do. Every function tells whether the bytes meant something.

#[path = "../../../tests/fuzz/check.rs"]
mod check;

use check::canonical;
use market::wire;

use crate::ledger::protocol::{
    LedgerRequest, LedgerResponse, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES,
};
pub use crate::ledger::snapshot::fuzz::kept_state;
pub use crate::log::fuzz::{record, segment_header};
use crate::store::fuzz::JournalEntry;
pub use crate::store::fuzz::store_value;

/// A decoder: the name of its folder in the corpus, and what its bytes must hold to.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// Every decoder of this crate that the ledger stands on.
pub const DECODERS: [Decoder; 7] = [
    ("journal_entry", journal_entry),
    ("kept_state", kept_state),
    ("ledger_request", ledger_request),
    ("ledger_response", ledger_response),
    ("record", record),
    ("segment_header", segment_header),
    ("store_value", store_value),
];

/// What one write of a node's journal says.
pub fn journal_entry(bytes: &[u8]) -> bool {
    canonical::<JournalEntry>(bytes, wire::MAX_MESSAGE_BYTES).is_some()
}

/// What is asked of an operator.
pub fn ledger_request(bytes: &[u8]) -> bool {
    canonical::<LedgerRequest>(bytes, MAX_REQUEST_BYTES).is_some()
}

/// What an operator answers.
pub fn ledger_response(bytes: &[u8]) -> bool {
    canonical::<LedgerResponse>(bytes, MAX_RESPONSE_BYTES).is_some()
}

#[cfg(test)]
mod tests;
