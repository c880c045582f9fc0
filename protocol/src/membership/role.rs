//! Roles, and the tokens that prove them.

use alloc::vec::Vec;

use crate::identity::{NodeId, Signature};

/// Separates role tokens from all else that the role key may ever sign.
const DOMAIN: &[u8] = b"shoal role v1";

/// What a node does in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Pulls and shares.
    Peer,
    /// Also pulls from origins; its chains are trusted before they close.
    Seed,
}

/// The key holder's word that one node has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleToken {
    /// The role.
    pub role: Role,
    /// By the cluster's role key, over the role and the node's identity.
    pub signature: Signature,
}

/// A member-only key was asked for a role token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cluster key only admits members; a role needs the full key that `shoal key new` made")]
pub struct NotKeyHolder;

pub(super) fn role_message(node: &NodeId, role: Role) -> Vec<u8> {
    let role: &[u8] = match role {
        Role::Peer => b"peer",
        Role::Seed => b"seed",
    };
    [DOMAIN, role, &node.0].concat()
}
