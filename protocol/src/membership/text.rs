//! The one-line text form of a cluster key: `<prefix><hex of the parts and a checksum>`.

use alloc::{format, string::String};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::cluster_key::ClusterKey;
use crate::{hex, identity::NodeId};

const FULL_PREFIX: &str = "shoal-cluster-key-1:";
const MEMBER_PREFIX: &str = "shoal-member-key-1:";
const CHECKSUM_BYTES: usize = 4;

/// Why a text is no cluster key. None of these shows any part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterKeyError {
    /// The text does not begin like a key.
    #[error("a cluster key begins with {FULL_PREFIX} or {MEMBER_PREFIX}; make one with `shoal key new`")]
    Prefix,
    /// Digits are missing or too many.
    #[error("the cluster key has {found} digits where {expected} belong; copy the whole line")]
    Length {
        /// Digits of such a key.
        expected: usize,
        /// Bytes found after the prefix.
        found: usize,
    },
    /// Something else than a lower-case hex digit.
    #[error("a cluster key has lower-case hex digits only after its prefix")]
    NotHex,
    /// The digits do not fit together.
    #[error("the cluster key has a wrong digit: its checksum does not match")]
    Checksum,
}

pub(super) fn full_key(root: &[u8; 32]) -> String {
    with_checksum(FULL_PREFIX, root)
}

pub(super) fn member_key(membership_secret: &[u8; 32], role_verifier: &NodeId) -> String {
    let mut payload = Zeroizing::new([0; 64]);
    payload[..32].copy_from_slice(membership_secret);
    payload[32..].copy_from_slice(&role_verifier.0);
    with_checksum(MEMBER_PREFIX, payload.as_slice())
}

pub(super) fn parse(text: &str) -> Result<ClusterKey, ClusterKeyError> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix(FULL_PREFIX) {
        let root = payload::<32>(FULL_PREFIX, digits)?;
        return Ok(ClusterKey::from_root(*root));
    }
    let digits = text.strip_prefix(MEMBER_PREFIX).ok_or(ClusterKeyError::Prefix)?;
    let parts = payload::<64>(MEMBER_PREFIX, digits)?;
    let mut membership_secret = Zeroizing::new([0; 32]);
    let mut role_verifier = [0; 32];
    membership_secret.copy_from_slice(&parts[..32]);
    role_verifier.copy_from_slice(&parts[32..]);
    Ok(ClusterKey::from_member_parts(membership_secret, NodeId(role_verifier)))
}

fn with_checksum(prefix: &str, payload: &[u8]) -> String {
    let digits = Zeroizing::new(hex::encode(payload));
    format!("{prefix}{}{}", *digits, hex::encode(&checksum(prefix, payload)))
}

fn payload<const LEN: usize>(prefix: &str, digits: &str) -> Result<Zeroizing<[u8; LEN]>, ClusterKeyError> {
    let expected = (LEN + CHECKSUM_BYTES) * 2;
    if digits.len() != expected {
        return Err(ClusterKeyError::Length { expected, found: digits.len() });
    }
    let bytes = Zeroizing::new(hex::decode(digits).ok_or(ClusterKeyError::NotHex)?);
    let (payload, found) = bytes.split_at(LEN);
    if *found != checksum(prefix, payload) {
        return Err(ClusterKeyError::Checksum);
    }
    let mut result = Zeroizing::new([0; LEN]);
    result.copy_from_slice(payload);
    Ok(result)
}

/// Tells a mistyped key from one of another cluster, which would only be refused by every node without a reason.
fn checksum(prefix: &str, payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::new_with_prefix(prefix).chain_update(payload).finalize();
    core::array::from_fn(|index| hash[index])
}
