//! Owns the conversion between a node's id and its libp2p peer id.
//!
//! Never holds a key longer than a call. A peer id of an ed25519 key is the identity multihash of the
//! key's protobuf form, hence the key itself behind six fixed bytes; see the libp2p specification
//! of peer ids.

use libp2p::PeerId;
use libp2p::identity::{Keypair, ed25519};
use market::NodeId;
use market::keys::SecretKey;

/// Identity multihash of 36 bytes, holding a protobuf of key type ed25519 and 32 bytes of key.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Returns the peer id of a node.
pub fn peer_of(node: NodeId) -> PeerId {
    let mut bytes = [0u8; 38];
    bytes[..6].copy_from_slice(&PREFIX);
    bytes[6..].copy_from_slice(node.as_bytes());
    PeerId::from_bytes(&bytes).expect("an identity multihash of 36 bytes is a peer id")
}

/// Returns the node behind a peer id, or `None` where the peer's key is not ed25519.
pub fn node_of(peer: &PeerId) -> Option<NodeId> {
    let bytes = peer.to_bytes();
    let key: [u8; 32] = bytes.strip_prefix(&PREFIX)?.try_into().ok()?;
    Some(NodeId::from_bytes(key))
}

/// Returns a node's key in libp2p's form.
pub(super) fn keypair(key: &SecretKey) -> Keypair {
    let secret = ed25519::SecretKey::try_from_bytes(key.to_seed())
        .expect("any 32 bytes are an ed25519 secret");
    ed25519::Keypair::from(secret).into()
}
