//! What came out of a world.

use std::time::Duration;

use shoal_protocol::{
    exchange::{Fault, FetchError},
    identity::NodeId,
    time::Timestamp,
};

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the whole blob.
    Complete(Timestamp),
    /// Without.
    Failed(FetchError),
}

/// What came out of a run.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// How each node's fetch of each blob ended, by node and blob; a later end takes the place of an earlier one.
    pub(super) ends: Vec<Vec<Option<End>>>,
    /// Who was blamed for what.
    pub strikes: Vec<(NodeId, Fault)>,
    /// Times that a seed turned to the origin.
    pub pulls: usize,
    /// Bytes that the origin sent.
    pub origin_bytes: u64,
    /// Bytes of pieces that arrived.
    pub piece_bytes: u64,
    /// Bytes of pieces that seeds sent.
    pub seed_bytes: u64,
    /// Bytes of pieces that came from another zone.
    pub cross_zone_bytes: u64,
    /// Pieces that a node got twice.
    pub duplicate_pieces: u64,
    /// Control messages that arrived.
    pub messages: u64,
    /// Their bytes as frames.
    pub message_bytes: u64,
    /// Chains that were given up.
    pub discards: usize,
    /// Longest that a reader waited for one piece.
    pub longest_wait: Duration,
    /// What should never happen, and did.
    pub violations: Vec<String>,
}

impl Outcome {
    /// How a node's fetch of a blob ended, by their numbers.
    pub fn end(&self, node: usize, blob: usize) -> Option<End> {
        self.ends[node][blob]
    }

    /// When a node had all blobs.
    pub fn completed(&self, node: usize) -> Option<Timestamp> {
        let times = self.ends[node].iter().map(|end| match end {
            Some(End::Complete(at)) => Some(*at),
            _ => None,
        });
        times.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The reasons for which fetches failed.
    pub fn failures(&self) -> impl Iterator<Item = FetchError> + '_ {
        self.ends.iter().flatten().filter_map(|end| match end {
            Some(End::Failed(reason)) => Some(*reason),
            _ => None,
        })
    }
}
