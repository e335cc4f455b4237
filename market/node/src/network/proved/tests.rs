//! Tests of which addresses prove something.

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn dialled(text: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer {
        address: address(text),
        role_override: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    }
}

fn came_from(text: &str) -> ConnectedPoint {
    ConnectedPoint::Listener {
        local_addr: address("/ip4/127.0.0.1/tcp/1"),
        send_back_addr: address(text),
    }
}

/// A node that connected from `from` and listed `listed`: is that a proof?
fn is_proved(from: &str, listed: &str) -> bool {
    let (mut proved, peer) = (Proved::default(), PeerId::random());
    proved.connected(peer, &came_from(from));
    let (from, listed) = (address(from), address(listed));
    proved.listed(&peer, &listed, std::iter::once(&from));
    proved.contains(&peer, &listed)
}

#[test]
fn where_a_node_was_reached_proves_something_and_what_it_lists_only_nearby() {
    let (mut proved, peer) = (Proved::default(), PeerId::random());
    proved.connected(peer, &dialled("/ip4/203.0.113.7/tcp/4646"));
    assert!(proved.contains(&peer, &address("/ip4/203.0.113.7/tcp/4646")));
    assert!(!proved.contains(&PeerId::random(), &address("/ip4/203.0.113.7/tcp/4646")));
    assert!(is_proved(
        "/ip4/127.0.0.1/tcp/50000",
        "/ip4/127.0.0.1/tcp/4646"
    ));
    assert!(is_proved(
        "/ip4/192.168.1.5/tcp/50000",
        "/ip4/192.168.1.5/tcp/4646"
    ));
    for listed in [
        "/ip4/127.0.0.1/tcp/4646",
        "/ip4/192.168.1.5/tcp/4646",
        "/ip4/203.0.113.7/tcp/4646",
    ] {
        assert!(!is_proved("/ip4/203.0.113.7/tcp/50000", listed), "{listed}");
    }
}

#[test]
fn a_node_that_comes_from_elsewhere_is_no_longer_at_its_local_addresses() {
    let (mut proved, peer) = (Proved::default(), PeerId::random());
    let (home, public) = ("/ip4/192.168.1.5/tcp/4646", "/ip4/203.0.113.7/tcp/4646");
    proved.connected(peer, &dialled(public));
    proved.connected(peer, &dialled(home));
    assert!(proved.contains(&peer, &address(home)));
    proved.connected(peer, &came_from("/ip4/203.0.113.7/tcp/50000"));
    assert!(!proved.contains(&peer, &address(home)));
    assert!(proved.contains(&peer, &address(public)));
}

#[test]
fn many_nodes_and_addresses_do_not_fill_memory() {
    let (mut proved, known) = (Proved::default(), PeerId::random());
    for port in 1..3_000 {
        let text = format!("/ip4/203.0.113.7/tcp/{port}");
        proved.connected(known, &dialled(&text));
        proved.connected(PeerId::random(), &dialled(&text));
    }
    assert!(proved.nodes.len() <= MAX_NODES);
    assert_eq!(proved.nodes[&known].addresses.len(), MAX_ADDRESSES);
    assert!(proved.contains(&known, &address("/ip4/203.0.113.7/tcp/2999")));
}
