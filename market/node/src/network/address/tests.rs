//! Tests of which addresses are believed.

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

#[test]
fn an_address_of_this_machine_is_believed_only_of_a_node_on_it() {
    let listed = address("/ip4/127.0.0.1/tcp/22");
    let far = address("/ip4/203.0.113.7/tcp/4646");
    let near = address("/ip4/127.0.0.1/tcp/50000");
    assert!(!is_believable(&listed, std::iter::once(&far)));
    assert!(is_believable(&listed, std::iter::once(&near)));
    assert!(is_believable(&far, std::iter::once(&near)));
    let nowhere = address("/ip4/0.0.0.0/tcp/4646");
    assert!(!is_believable(&nowhere, std::iter::once(&near)));
}

#[test]
fn hosts_are_compared_as_numbers() {
    let mapped = address("/ip6/::ffff:192.168.1.5/tcp/1");
    assert!(same_host(&mapped, &address("/ip4/192.168.1.5/tcp/2")));
    assert!(is_local(&mapped));
    assert!(!is_local(&address("/ip4/203.0.113.7/tcp/1")));
    let name = address("/dns4/example.org/tcp/1");
    assert!(!same_host(&name, &name) && !is_local(&name));
}
