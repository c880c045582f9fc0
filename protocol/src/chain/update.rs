//! Links on their way from node to node, and what their author signs.

use alloc::{string::ToString, vec::Vec};
use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::{
    digest::Digest,
    geometry::Geometry,
    identity::{NodeId, Signature},
    membership::{Role, RoleToken},
};

/// Separates these signatures from all others made with a node's key.
const DOMAIN: &[u8] = b"shoal chain v1";

/// Who made a chain, and is blamed when it does not close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The node whose key signed the chain.
    pub node: NodeId,
    /// The author's claim to a role, still to be checked with the cluster key. The signature covers it, so that no
    /// relay can make a seed's chain look like a peer's.
    pub role: Option<RoleToken>,
}

/// Some links of a chain, up to the last one that its author has signed so far.
#[derive(Clone, PartialEq, Eq)]
pub struct ChainUpdate {
    /// Length of the blob and its pieces.
    pub geometry: Geometry,
    /// Who made the chain.
    pub author: Author,
    /// How many links come before these.
    pub first_link: u32,
    /// The links one after the other, each as long as the digest's hash.
    pub links: Vec<u8>,
    /// The author's, over all links from the first to the last one here.
    pub signature: Signature,
}

impl fmt::Debug for ChainUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainUpdate")
            .field("geometry", &self.geometry)
            .field("author", &self.author)
            .field("first_link", &self.first_link)
            .field("links_bytes", &self.links.len())
            .finish_non_exhaustive()
    }
}

/// A hash over all links so far. Signing it instead of the links makes signing each step of a growing chain cheap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinksHash([u8; 32]);

impl LinksHash {
    /// The hash with `links`, each `link_bytes` long, added.
    pub(super) fn with(self, links: &[u8], link_bytes: usize) -> Self {
        links.chunks_exact(link_bytes).fold(self, |Self(hash), link| {
            Self(Sha256::new_with_prefix(hash).chain_update(link).finalize().into())
        })
    }
}

/// What the author of a chain signs when it has `link_count` links.
///
/// Every part has a fixed length, given those before it, so that two chains never share a message.
pub(super) fn signed_message(
    digest: &Digest,
    geometry: &Geometry,
    role: Option<&RoleToken>,
    link_count: u32,
    links: LinksHash,
) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    message.extend(digest.to_string().as_bytes());
    message.extend(geometry.blob_bytes().to_be_bytes());
    message.extend(geometry.piece_bytes().to_be_bytes());
    message.extend(link_count.to_be_bytes());
    message.extend(links.0);
    match role {
        None => message.push(0),
        Some(token) => {
            message.push(match token.role {
                Role::Peer => 1,
                Role::Seed => 2,
            });
            message.extend(token.signature.0);
        }
    }
    message
}
