//! Owns which addresses are told to others, and which are believed of them.
//!
//! Never resolves a name and never dials.

use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Tells whether an address begins with a host and names a TCP port, so that others can be told to dial it.
pub(super) fn can_be_dialled(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    host && matches!(parts.next(), Some(Protocol::Tcp(port)) if port > 0)
}

/// Tells whether an address that a node listed may be dialled, from the addresses of its connections. That of
/// this machine itself is believed only of a node that is on it.
pub(super) fn is_believable<'a>(
    address: &Multiaddr,
    mut connections: impl Iterator<Item = &'a Multiaddr>,
) -> bool {
    can_be_dialled(address) && (!is_loopback(address) || connections.any(is_loopback))
}

/// Returns the host that an address begins with, where it is a number.
fn host(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    host(address).is_some_and(|host| host.is_loopback())
}

/// Tells whether an address means another machine in each network: of this machine, or of a private network.
pub(super) fn is_local(address: &Multiaddr) -> bool {
    match host(address) {
        Some(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        None => false,
    }
}

/// Tells whether two addresses begin with the same number.
pub(super) fn same_host(one: &Multiaddr, other: &Multiaddr) -> bool {
    host(one).is_some() && host(one) == host(other)
}

/// Returns an address without the peer ids in it.
pub(super) fn without_peer(address: &Multiaddr) -> Multiaddr {
    address
        .iter()
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect()
}

#[cfg(test)]
mod tests;
