//! Tests of what counts as a refusal.

use libp2p::TransportError;

use super::*;

fn failed(errors: Vec<io::Error>) -> DialError {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let row = |error| (address.clone(), TransportError::Other(error));
    DialError::Transport(errors.into_iter().map(row).collect())
}

fn refusal() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

#[test]
fn a_refusal_is_found_however_deep_it_is_wrapped() {
    let wrapped = io::Error::other(io::Error::other(refusal()));
    let error = call_error(&failed(vec![refusal(), wrapped]), |_| true);
    assert!(matches!(error, CallError::Refused(_)), "{error:?}");
}

#[test]
fn one_silent_address_leaves_it_open() {
    let silent = io::ErrorKind::TimedOut.into();
    let error = call_error(&failed(vec![refusal(), silent]), |_| true);
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
    let error = call_error(&failed(Vec::new()), |_| true);
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
}

#[test]
fn a_refusal_where_the_node_never_was_leaves_it_open() {
    let error = call_error(&failed(vec![refusal()]), |_| false);
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
}
