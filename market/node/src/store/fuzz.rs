//! Owns what the values of the stores must hold to, whatever bytes they are.
//!
//! Never opens a store and never makes bytes up.

use market::ledger::TrustedSet;
use market::voucher::Voucher;
use market::wire::Signed;
use matching::Trade;

use super::{
    DeserializeOwned, IndexHead, MAX_VALUE_BYTES, Serialize, StoreError, TradesHead,
    TransactionPlace, decode, encode, unversioned, versioned,
};
use crate::ledger::protocol::HistoryEntry;

/// What a record of a node's journal decodes to.
pub(crate) use super::journal::{Change as JournalChange, Entry as JournalEntry};

/// A value of a store as it is kept, or what stands behind the check of one: every kind of value that it decodes to
/// is kept as the same bytes again.
pub fn store_value(bytes: &[u8]) -> bool {
    let is_kept = is_any_value(bytes);
    match versioned(bytes) {
        Ok(value) => {
            let read = unversioned(&value);
            assert_eq!(read.expect("what was written is read"), bytes);
            is_any_value(&value) || is_kept
        }
        Err(error) => {
            assert!(bytes.len() > MAX_VALUE_BYTES, "{error}");
            is_kept
        }
    }
}

fn is_any_value(bytes: &[u8]) -> bool {
    let kinds = [
        is_value::<IndexHead>,
        is_value::<TransactionPlace>,
        is_value::<HistoryEntry>,
        is_value::<Trade>,
        is_value::<TradesHead>,
        is_value::<TrustedSet>,
        is_value::<Signed<Voucher>>,
    ];
    // Every kind is tried, also after one that fits.
    kinds.iter().filter(|is_value| is_value(bytes)).count() > 0
}

fn is_value<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    match decode::<T>(bytes) {
        Ok(value) => {
            let kept = encode(&value).expect("what was kept can be kept");
            assert_eq!(kept, bytes, "another form of the same value");
            true
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Value(_)), "{error}");
            false
        }
    }
}

/// Returns the bytes that a value is kept as.
#[cfg(test)]
pub(crate) fn kept<T: Serialize>(value: &T) -> Vec<u8> {
    encode(value).expect("the value is small")
}
