//! Which node is meant.

use market_node::network::peer_of;

use super::*;

#[test]
fn a_node_is_named_by_its_key_its_peer_id_or_an_address_and_an_account_is_none() {
    let key = market::keys::SecretKey::from_seed([7; 32]);
    let node = key.node();
    let peer = peer_of(node);
    let address = format!("/ip4/127.0.0.1/tcp/4646/p2p/{peer}");
    for named in [node.to_string(), peer.to_string(), address] {
        assert_eq!(named_node(&named), Ok(node), "{named}");
    }
    let why = named_node(&key.account().to_string()).unwrap_err();
    assert!(why.contains("this is an account"), "{why}");
    for wrong in ["", "this", "/ip4/127.0.0.1/tcp/4646", "12D3Koo"] {
        let why = named_node(wrong).unwrap_err();
        assert!(why.contains("64 hexadecimal digits"), "{wrong}: {why}");
    }
}
