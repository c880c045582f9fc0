//! Proving membership to the other end of a fresh connection.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::identity::NodeId;

/// Separates these proofs from whatever else the membership secret may ever be used for.
const DOMAIN: &[u8] = b"shoal membership v1";

/// What both ends know of the connection between them before either is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Who opened the connection, as the secure channel proved it.
    pub initiator: NodeId,
    /// Who accepted it, as the secure channel proved it.
    pub responder: NodeId,
    /// Fresh random bytes from the initiator.
    pub initiator_nonce: [u8; 32],
    /// Fresh random bytes from the responder.
    pub responder_nonce: [u8; 32],
    /// A secret of this very channel (TLS exporter, RFC 9266), so that a proof is worth nothing on another one.
    pub channel_binding: [u8; 32],
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that opened the connection; it proves itself first.
    Initiator,
    /// The end that accepted the connection.
    Responder,
}

/// An HMAC-SHA256 that only a member can make. Compared by [`super::ClusterKey::verify_proof`] alone, in constant time.
#[derive(Clone, Debug)]
pub struct Proof(pub [u8; 32]);

pub(super) fn proof(membership_secret: &[u8; 32], side: Side, handshake: &Handshake) -> Proof {
    let side: u8 = match side {
        Side::Initiator => 1,
        Side::Responder => 2,
    };
    // HMAC fills a key up to its block with zeros, so this is the 32-byte key; a whole block can't be refused.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(membership_secret);
    let mac = Hmac::<Sha256>::new((&*block).into())
        .chain_update(DOMAIN)
        .chain_update([side])
        .chain_update(handshake.initiator.0)
        .chain_update(handshake.responder.0)
        .chain_update(handshake.initiator_nonce)
        .chain_update(handshake.responder_nonce)
        .chain_update(handshake.channel_binding);
    Proof(mac.finalize().into_bytes().into())
}
