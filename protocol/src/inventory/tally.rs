//! A summary of what one node has, by which two sides notice that they disagree.

use crate::{digest::Digest, wire::Holding};

/// Number and combined fingerprint of the blobs that a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) total: u32,
    pub(super) set_hash: u64,
}

impl Tally {
    /// Notes that the node had `before` of `digest` and now has `after`.
    pub(super) fn change(&mut self, digest: &Digest, before: Option<Holding>, after: Option<Holding>) {
        let fingerprint = |holding: Option<Holding>| holding.map_or(0, |holding| holding.fingerprint(digest));
        self.set_hash ^= fingerprint(before) ^ fingerprint(after);
        self.total = (self.total + u32::from(after.is_some())).saturating_sub(u32::from(before.is_some()));
    }
}
