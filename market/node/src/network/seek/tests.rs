//! Tests of what is said to callers whose node cannot be reached.

use libp2p::PeerId;
use tokio::sync::oneshot;

use super::*;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse};
use crate::network::call::Exchange;

type Caller = oneshot::Receiver<Result<LedgerResponse, CallError>>;

fn call() -> (Call, Caller) {
    let (done, caller) = oneshot::channel();
    let request = LedgerRequest::Status;
    (Call::Ledger(Exchange { request, done }), caller)
}

fn refused() -> Option<CallError> {
    Some(CallError::Refused("port 1".to_owned()))
}

fn silent() -> Option<CallError> {
    Some(CallError::Unreachable("no answer".to_owned()))
}

/// Seeks a node whose addresses failed as told, until nothing is left to try.
fn outcome(failures: &[Option<CallError>]) -> CallError {
    let (mut seek, peer, now) = (Seek::default(), PeerId::random(), Instant::now());
    let (call, mut caller) = call();
    assert_eq!(seek.add(peer, call), Next::Dial);
    for failure in failures {
        seek.dial_failed(&peer, failure.clone(), now);
    }
    seek.give_up(&peer);
    caller.try_recv().unwrap().unwrap_err()
}

#[test]
fn only_refusals_all_along_are_a_definite_refusal() {
    assert_eq!(Some(outcome(&[refused(), refused()])), refused());
    assert_eq!(Some(outcome(&[refused(), None])), refused());
    assert_eq!(Some(outcome(&[silent(), refused()])), silent());
    assert_eq!(Some(outcome(&[refused(), silent()])), silent());
    assert_eq!(outcome(&[None]), CallError::NotFound);
}

#[test]
fn a_refusal_ends_the_search_soon_and_silence_does_not() {
    let (mut seek, peer, now) = (Seek::default(), PeerId::random(), Instant::now());
    let (first, mut caller) = call();
    seek.add(peer, first);
    assert_eq!(seek.dial_failed(&peer, refused(), now), Next::Search);
    let deadline = seek.next_deadline().unwrap();
    assert_eq!(deadline, now + SEARCH_AFTER_REFUSAL);
    seek.give_up_overdue(now);
    assert!(caller.try_recv().is_err(), "it is still looked for");
    seek.give_up_overdue(deadline);
    assert_eq!(caller.try_recv().unwrap().err(), refused());

    let (second, _caller) = call();
    seek.add(peer, second);
    seek.dial_failed(&peer, silent(), now);
    assert_eq!(seek.next_deadline(), None);
}
