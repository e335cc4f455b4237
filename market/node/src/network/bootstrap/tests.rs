//! Tests of when bootstrap nodes are dialled.

use super::*;

fn peer(number: u8) -> PeerId {
    super::super::peer_of(market::NodeId::from_bytes([number; 32]))
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
        delays.push((due - now).as_secs());
        assert!(
            bootstrap
                .take_due(due - Duration::from_millis(1))
                .is_empty()
        );
        now = due;
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn the_delay_is_spread_by_peer_id_up_to_a_quarter() {
    assert_eq!(delay_after(0, &peer(255)), Duration::from_millis(1_250));
    assert_eq!(delay_after(20, &peer(255)), Duration::from_secs(75));
}

#[test]
fn a_connected_node_is_left_alone_until_it_is_lost() {
    let start = Instant::now();
    let mut bootstrap = Bootstrap::new(&[address(0, 1)], start).unwrap();
    bootstrap.take_due(start);
    bootstrap.connected(&peer(0));
    assert_eq!(bootstrap.next_due(), None);
    bootstrap.lost(&peer(0), start);
    assert_eq!(bootstrap.next_due(), Some(start + Duration::from_secs(1)));
}

#[test]
fn an_address_without_a_peer_is_refused() {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let result = Bootstrap::new(std::slice::from_ref(&address), Instant::now());
    assert_eq!(result.unwrap_err(), address);
}
