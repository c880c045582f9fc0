//! Which seed owns a blob or a repository.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::identity::NodeId;

/// Keeps scores from colliding with any other use of SHA-256 on the same input.
const DOMAIN: &[u8] = b"shoal owner v1";

/// All of `seeds` in the order in which they own `key`: the owner, then its successor, and so on.
///
/// Rendezvous hashing: nodes that know the same seeds agree, and a seed that comes or goes moves only the keys that
/// it gets or had. A blob's key is its digest as text, a repository's is `registry/repository`.
pub fn owners(key: &[u8], seeds: &[NodeId]) -> Vec<NodeId> {
    let mut ranked: Vec<([u8; 32], NodeId)> = seeds.iter().map(|seed| (score(key, seed), *seed)).collect();
    ranked.sort_unstable_by(|left, right| right.cmp(left));
    ranked.dedup();
    ranked.into_iter().map(|(_, seed)| seed).collect()
}

fn score(key: &[u8], seed: &NodeId) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(key).chain_update(seed.0).finalize().into()
}
