//! The key itself, and what is derived from it.

use alloc::string::String;
use core::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    handshake::{Handshake, Proof, Side, proof},
    role::{NotKeyHolder, Role, RoleToken, role_message},
    text::{self, ClusterKeyError},
};
use crate::identity::{NodeId, NodeKey};

const SALT: &[u8] = b"shoal cluster v1";
const MEMBERSHIP: &[u8] = b"membership";
const ROLES: &[u8] = b"roles";

/// Admits nodes to a cluster and, when it is the full key, gives them roles. Wiped when dropped.
#[derive(Clone)]
pub struct ClusterKey {
    root: Option<Zeroizing<[u8; 32]>>,
    membership_secret: Zeroizing<[u8; 32]>,
    role_verifier: NodeId,
}

impl ClusterKey {
    /// The full key that `root` stands for: 32 bytes from a cryptographic random source.
    pub fn from_root(root: [u8; 32]) -> Self {
        let root = Zeroizing::new(root);
        Self {
            membership_secret: derive(&root, MEMBERSHIP),
            role_verifier: role_key(&root).node_id(),
            root: Some(root),
        }
    }

    pub(super) const fn from_member_parts(
        membership_secret: Zeroizing<[u8; 32]>,
        role_verifier: NodeId,
    ) -> Self {
        Self { root: None, membership_secret, role_verifier }
    }

    /// Reads what [`Self::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is no key, or was damaged on its way.
    pub fn parse(text: &str) -> Result<Self, ClusterKeyError> {
        text::parse(text)
    }

    /// The key as one line of text, without a line break: what a key file holds.
    pub fn to_text(&self) -> String {
        match &self.root {
            Some(root) => text::full_key(root),
            None => text::member_key(&self.membership_secret, &self.role_verifier),
        }
    }

    /// The same key without the power to issue roles: all that a node needs.
    pub fn member_only(&self) -> Self {
        Self { root: None, ..self.clone() }
    }

    /// Signs that `node` has `role`.
    ///
    /// # Errors
    /// When this is a member-only key.
    pub fn issue_role(&self, node: &NodeId, role: Role) -> Result<RoleToken, NotKeyHolder> {
        let root = self.root.as_ref().ok_or(NotKeyHolder)?;
        Ok(RoleToken { role, signature: role_key(root).sign(&role_message(node, role)) })
    }

    /// The role that `token` gives to `node`; `None` when the token was issued to another node or by another key.
    pub fn verify_role(&self, node: &NodeId, token: &RoleToken) -> Option<Role> {
        let message = role_message(node, token.role);
        self.role_verifier.verify(&message, &token.signature).then_some(token.role)
    }

    /// What `side` shows to the other in this handshake, to prove that it has the cluster's key.
    pub fn proof(&self, side: Side, handshake: &Handshake) -> Proof {
        proof(&self.membership_secret, side, handshake)
    }

    /// True when `proof` is what `side` has to show in this handshake. Takes the same time wherever it differs.
    pub fn verify_proof(&self, side: Side, handshake: &Handshake, proof: &Proof) -> bool {
        self.proof(side, handshake).0.ct_eq(&proof.0).into()
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.root.is_some() { "ClusterKey(full)" } else { "ClusterKey(member only)" })
    }
}

fn role_key(root: &[u8; 32]) -> NodeKey {
    NodeKey::from_secret(*derive(root, ROLES))
}

fn derive(root: &[u8; 32], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 refuses only outputs beyond 8160 bytes")]
    Hkdf::<Sha256>::new(Some(SALT), root).expand(purpose, secret.as_mut_slice()).expect("32 bytes");
    secret
}
