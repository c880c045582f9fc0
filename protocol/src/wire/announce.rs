//! What nodes say about themselves and each other: records, announcements, lists and snapshots.

use alloc::{string::String, vec::Vec};
use core::net::SocketAddr;

use super::codec::{Wire, is_printable, put_bytes, put_list};
use crate::{
    bounds::{MAX_ADDRESSES, MAX_ZONE_BYTES},
    digest::Digest,
    identity::{NodeId, NodeKey, Signature},
    membership::RoleToken,
};

/// Keeps a record's signature from being taken for one over anything else.
const RECORD_DOMAIN: &[u8] = b"shoal node record v1";

/// Who a node is and where it is reached, signed by itself. It stays the same for an incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node.
    pub node: NodeId,
    /// Milliseconds since 1970 when the node started. A later start must have a higher number, even when the clock
    /// was set back in between.
    pub incarnation: u64,
    /// The role that the cluster key's holder gave it; without it, a peer.
    pub role: Option<RoleToken>,
    /// Where it stands: at most [`MAX_ZONE_BYTES`] of printable ASCII.
    pub zone: String,
    /// Where its swarm listens: at most [`MAX_ADDRESSES`].
    pub swarm_addresses: Vec<SocketAddr>,
    /// Where it accepts lanes: at most [`MAX_ADDRESSES`].
    pub lane_addresses: Vec<SocketAddr>,
    /// The node's, over all of the above.
    pub signature: Signature,
}

/// What a node has of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holding {
    /// All of it, verified.
    Holds,
    /// Some of it, and it is getting the rest.
    Fetching,
}

/// A change of what a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The blob.
    pub digest: Digest,
    /// What the node has of it now; `None` for nothing.
    pub holding: Option<Holding>,
}

/// What a node gossips: its changes since the announcement before, or just that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The node that speaks, which is also the author of the gossip message.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: u64,
    /// Counts this incarnation's announcements from 1. Before the first the node has nothing.
    pub seq: u64,
    /// After that long without another announcement the node counts as gone.
    pub lifetime_ms: u32,
    /// The node's record: in the first announcement, and now and then again for those who missed it.
    pub record: Option<NodeRecord>,
    /// What changed, in order of the digests.
    pub changes: Vec<Change>,
    /// Number of blobs that the node has after these changes.
    pub total: u32,
    /// [`Holding::fingerprint`] of all the blobs that the node has after these changes, combined by exclusive or.
    pub set_hash: u64,
    /// The node stops; this is its last announcement.
    pub leaving: bool,
}

/// Everything that a node has, from itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryList {
    /// The node.
    pub record: NodeRecord,
    /// The announcement whose changes are the last included.
    pub seq: u64,
    /// As in [`Announcement`].
    pub lifetime_ms: u32,
    /// What it has, in order of the digests.
    pub holdings: Vec<(Digest, Holding)>,
}

/// What one node knows of another. The record is proven by its signature; the rest is hearsay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The other node.
    pub record: NodeRecord,
    /// Its last announcement included.
    pub seq: u64,
    /// Time since that announcement was heard.
    pub silent_ms: u32,
    /// As in [`Announcement`].
    pub lifetime_ms: u32,
    /// What it has, in order of the digests; `None` when not known or left out for size.
    pub holdings: Option<Vec<(Digest, Holding)>>,
}

impl NodeRecord {
    /// Puts `key`'s signature under the record.
    pub fn sign(&mut self, key: &NodeKey) {
        self.signature = key.sign(&self.signed_message());
    }

    /// True when the record is within its bounds and signed by its node.
    pub fn verify(&self) -> bool {
        self.zone.len() <= MAX_ZONE_BYTES
            && is_printable(&self.zone)
            && self.swarm_addresses.len() <= MAX_ADDRESSES
            && self.lane_addresses.len() <= MAX_ADDRESSES
            && self.node.verify(&self.signed_message(), &self.signature)
    }

    fn signed_message(&self) -> Vec<u8> {
        let mut message = RECORD_DOMAIN.to_vec();
        self.encode_unsigned(&mut message);
        message
    }

    /// Appends the binary form of all fields but the signature.
    pub(super) fn encode_unsigned(&self, out: &mut Vec<u8>) {
        self.node.encode(out);
        self.incarnation.encode(out);
        self.role.encode(out);
        put_bytes(self.zone.as_bytes(), out);
        put_list(&self.swarm_addresses, out);
        put_list(&self.lane_addresses, out);
    }
}

impl Holding {
    /// What `digest`, held this way, adds to a [`Announcement::set_hash`]: the first eight bytes of its hash, rotated
    /// left by one bit while fetching.
    pub fn fingerprint(self, digest: &Digest) -> u64 {
        let first = digest.hash().iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
        match self {
            Self::Holds => first,
            Self::Fetching => first.rotate_left(1),
        }
    }
}
