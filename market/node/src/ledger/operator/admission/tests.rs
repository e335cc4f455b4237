//! Places are counted by submitter, and given back.

use std::sync::Arc;

use market::AccountId;

use super::{Admission, MAX_WAITING_PER_SUBMITTER, Place};
use crate::ledger::protocol::Unavailable;

#[test]
fn who_has_many_waiting_is_refused_until_one_is_done_and_others_are_not() {
    let admission = Arc::new(Admission::default());
    let (greedy, other) = (
        AccountId::from_bytes([1; 32]),
        AccountId::from_bytes([2; 32]),
    );
    let mut places: Vec<Place> = (0..MAX_WAITING_PER_SUBMITTER)
        .map(|_| admission.admit(greedy).unwrap())
        .collect();
    assert_eq!(
        admission.admit(greedy).err(),
        Some(Unavailable::SubmitterBusy)
    );
    let _other = admission.admit(other).unwrap();
    places.pop();
    places.push(admission.admit(greedy).unwrap());
    assert_eq!(
        admission.admit(greedy).err(),
        Some(Unavailable::SubmitterBusy)
    );
    drop(places);
    assert_eq!(
        admission.lock().len(),
        1,
        "who has nothing waiting takes no room"
    );
}
