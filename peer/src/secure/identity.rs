//! The same ed25519 identity in libp2p's words.

use libp2p::{
    PeerId,
    identity::{Keypair, PublicKey, ed25519},
    multihash::Multihash,
};
use shoal_protocol::identity::{NodeId, NodeKey};

/// Multihash code of a value that is its own hash: how a peer id carries an ed25519 key.
const IDENTITY_HASH: u64 = 0;
/// What precedes the 32 key bytes in libp2p's protobuf of an ed25519 public key.
const ED25519_PREFIX: [u8; 4] = [0x08, 0x01, 0x12, 0x20];

/// The node key as libp2p wants it; `None` is impossible for a key that exists, and left to the caller to report.
pub(crate) fn keypair(key: &NodeKey) -> Option<Keypair> {
    let secret = ed25519::SecretKey::try_from_bytes(key.secret()).ok()?;
    Some(ed25519::Keypair::from(secret).into())
}

/// The node whose peer id this is; `None` for ids of other kinds of key.
pub(crate) fn node_id(peer: &PeerId) -> Option<NodeId> {
    let hash: &Multihash<64> = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(NodeId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The peer id of a node. Total, also for bytes that are no valid key: nobody can ever prove to be that peer.
pub(crate) fn peer_id(node: &NodeId) -> Option<PeerId> {
    let mut encoded = [0; 36];
    let (prefix, key) = encoded.split_at_mut(ED25519_PREFIX.len());
    prefix.copy_from_slice(&ED25519_PREFIX);
    key.copy_from_slice(&node.0);
    PeerId::from_multihash(Multihash::wrap(IDENTITY_HASH, &encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_and_its_peer_id_name_the_same_key() {
        let key = NodeKey::from_secret([7; 32]);
        let peer = keypair(&key).unwrap().public().to_peer_id();
        assert_eq!(peer_id(&key.node_id()), Some(peer));
        assert_eq!(node_id(&peer), Some(key.node_id()));
    }

    #[test]
    fn a_peer_id_of_another_kind_of_key_is_no_node() {
        assert_eq!(node_id(&PeerId::random()), None);
    }
}
