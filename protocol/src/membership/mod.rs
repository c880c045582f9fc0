//! Who belongs to the cluster, and in which role.
//!
//! One 32-byte root, held by the cluster's operator, gives two independent secrets (HKDF-SHA256, RFC 5869):
//!
//! - the *membership secret*: a node that knows it is admitted. It proves so in the handshake with an HMAC over both
//!   identities, both nonces and the channel's own secret, so that a proof can't be replayed, relayed or reflected;
//! - the *role key* (ed25519): signs the tokens that make a node a seed.
//!
//! Invariant: a member-only key ([`ClusterKey::member_only`]) admits its holder and recognises seeds, but can't make
//! one; who steals it from a node can join, and can't have its chains streamed as a seed's.

mod cluster_key;
mod handshake;
mod role;
mod text;

pub use cluster_key::ClusterKey;
pub use handshake::{Handshake, Proof, Side};
pub use role::{NotKeyHolder, Role, RoleToken};
pub use text::ClusterKeyError;
