//! Tests of when bootstrap nodes are dialled.

use super::*;

fn peer(number: u8) -> PeerId {
    super::super::peer_of(NodeId::from_bytes([number; 32]))
}

fn address(number: u8, port: u16) -> Multiaddr {
    let host: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    host.with(Protocol::P2p(peer(number)))
}

#[test]
fn all_nodes_are_dialled_at_once_and_then_ever_more_rarely() {
    let start = Instant::now();
    let mut bootstrap = Bootstrap::new(&[address(0, 1), address(0, 2)], start).unwrap();
    assert_eq!(bootstrap.addresses(&peer(0)).len(), 2);
    // The peer id ends with 0, so nothing is added to the delays.
    let mut delays = Vec::new();
    let mut now = start;
    for _ in 0..9 {
        assert_eq!(bootstrap.take_due(now), [peer(0)]);
        let due = bootstrap.next_due().unwrap();
        delays.push((due - now).as_millis());
        assert!(
            bootstrap
                .take_due(due - Duration::from_millis(1))
                .is_empty()
        );
        now = due;
    }
    assert_eq!(
        delays,
        [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    );
}

#[test]
fn the_delay_is_spread_by_peer_id_up_to_a_quarter() {
    assert_eq!(delay_after(2, &peer(255)), Duration::from_millis(1_250));
    assert_eq!(delay_after(20, &peer(255)), Duration::from_millis(37_500));
}

#[test]
fn a_connected_node_is_left_alone_until_it_is_lost() {
    let start = Instant::now();
    let mut bootstrap = Bootstrap::new(&[address(0, 1)], start).unwrap();
    bootstrap.take_due(start);
    bootstrap.connected(&peer(0));
    assert_eq!(bootstrap.next_due(), None);
    bootstrap.introduced(&peer(0));
    bootstrap.lost(&peer(0), start);
    assert_eq!(bootstrap.next_due(), Some(start + FIRST_DELAY));
}

#[test]
fn a_node_that_hangs_up_before_it_introduces_itself_is_dialled_ever_more_rarely() {
    let mut now = Instant::now();
    let mut bootstrap = Bootstrap::new(&[address(0, 1)], now).unwrap();
    let mut last = Duration::ZERO;
    for _ in 0..4 {
        assert_eq!(bootstrap.take_due(now), [peer(0)]);
        bootstrap.connected(&peer(0));
        bootstrap.lost(&peer(0), now);
        let due = bootstrap.next_due().unwrap();
        assert!(due - now > last);
        last = due - now;
        now = due;
    }
}

#[test]
fn an_address_without_a_peer_is_refused() {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let result = Bootstrap::new(std::slice::from_ref(&address), Instant::now());
    assert_eq!(result.unwrap_err(), address);
}
