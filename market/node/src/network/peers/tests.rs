//! Tests of when a link is held to have been whole.

use super::*;

const WINDOW: Duration = Duration::from_secs(10);

/// A peer that is connected since `start`.
fn connected(start: Instant) -> (Peers, PeerId) {
    let (mut peers, peer) = (Peers::default(), PeerId::random());
    let address = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    peers.opened(peer, (ConnectionId::new_unchecked(1), address), start);
    (peers, peer)
}

/// Pings that were answered, in seconds after the start.
fn steady_after(answered: &[u64], at: u64) -> bool {
    let start = Instant::now();
    let (mut peers, peer) = connected(start);
    for second in answered {
        let now = start + Duration::from_secs(*second);
        peers.measured(&peer, Duration::from_millis(40), now);
    }
    peers.was_steady(&peer, WINDOW, start + Duration::from_secs(at))
}

#[test]
fn a_link_that_stood_still_for_a_while_was_not_steady() {
    assert!(steady_after(&[2, 4, 6, 8, 10], 11));
    // It stands still now, it stood still in the window, it is too young.
    assert!(!steady_after(&[2, 4, 6, 8, 10], 20));
    assert!(!steady_after(&[2, 4, 20, 22, 24], 25));
    assert!(!steady_after(&[2, 4], 5));
    assert!(steady_after(&[2, 4, 20, 22, 24, 26, 28, 30], 31));
}

#[test]
fn who_answers_no_pings_has_no_excuse() {
    let start = Instant::now();
    let (mut peers, peer) = connected(start);
    assert!(!peers.was_steady(&peer, WINDOW, start + WINDOW));
    peers.answers_no_pings(&peer);
    assert!(peers.was_steady(&peer, WINDOW, start));
    assert!(!peers.was_steady(&PeerId::random(), WINDOW, start));
}
