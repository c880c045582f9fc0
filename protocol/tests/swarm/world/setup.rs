//! What can be set about a cluster, and what came out of a run.

use std::{collections::BTreeMap, time::Duration};

use shoal_protocol::{
    digest::Digest,
    exchange::{Fault, FetchError},
    identity::NodeId,
    time::Timestamp,
    wire::{CloseReason, Message},
};

use super::content::Content;

pub(crate) const PIECE_BYTES: u64 = 64 * 1024;

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vice {
    /// Sends garbage for every piece.
    Garbles,
    /// Claims to hold the blob by a chain of its own over other content.
    SignsFalseChain,
    /// The same, by a chain that it says somebody else signed.
    RelaysFalseChain,
    /// Takes every want, and never sends a byte.
    Stalls,
}

/// Something that happens to a node at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It stops, and its connections break.
    Dies,
    /// It stops, and nobody is told for a while.
    Vanishes,
    /// It stops, and comes back after this long with what it had stored.
    Restarts(Duration),
    /// It joins only now.
    Joins,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) random_seed: u64,
    pub(crate) peers: usize,
    pub(crate) seeds: usize,
    /// Length of each blob that every peer fetches.
    pub(crate) blobs_bytes: Vec<u64>,
    pub(crate) link_bytes_per_s: u64,
    pub(crate) delay: Duration,
    /// Bytes a second that the origin sends.
    pub(crate) origin_bytes_per_s: u64,
    /// The origin sends nothing before this.
    pub(crate) origin_delay: Duration,
    /// This many nodes, the first seed first, have the blobs already.
    pub(crate) holders: usize,
    /// The last peers have a vice.
    pub(crate) vices: Vec<Vice>,
    /// One in this many pieces is lost on its way.
    pub(crate) lost_one_in: Option<u32>,
    pub(crate) fates: Vec<(usize, Duration, Fate)>,
    /// What a hostile neighbour of everyone says, to one after the other.
    pub(crate) babble: Vec<Message>,
    /// The origin answers that there is no such blob.
    pub(crate) origin_refuses: Option<CloseReason>,
    /// Each of two seeds takes the other for the owner, and peers are of two minds.
    pub(crate) owners_disagree: bool,
    /// A runtime on every peer reads the first blob in order.
    pub(crate) reads: bool,
    /// Takes every piece for good, to measure large swarms.
    pub(crate) skips_hashing: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            random_seed: 1,
            peers: 8,
            seeds: 1,
            blobs_bytes: vec![64 * PIECE_BYTES],
            link_bytes_per_s: 12_500_000,
            delay: Duration::from_micros(200),
            origin_bytes_per_s: 12_500_000,
            origin_delay: Duration::ZERO,
            holders: 0,
            vices: Vec::new(),
            lost_one_in: None,
            fates: Vec::new(),
            babble: Vec::new(),
            origin_refuses: None,
            owners_disagree: false,
            reads: false,
            skips_hashing: false,
        }
    }
}

impl Setup {
    /// The digest of the first blob in a world of the default setup.
    pub(crate) fn default_digest() -> Digest {
        let setup = Self::default();
        let mut rng = fastrand::Rng::with_seed(setup.random_seed);
        Content::random(setup.blobs_bytes[0], &mut rng).digest
    }
}

/// What came out of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) completed: BTreeMap<(NodeId, Digest), Timestamp>,
    pub(crate) failed: BTreeMap<(NodeId, Digest), FetchError>,
    pub(crate) strikes: Vec<(NodeId, Fault)>,
    pub(crate) pulls: usize,
    pub(crate) origin_bytes: u64,
    pub(crate) piece_bytes: u64,
    pub(crate) duplicate_pieces: u64,
    pub(crate) messages: u64,
    pub(crate) discards: usize,
    /// Longest that a reader waited for one piece.
    pub(crate) longest_wait: Duration,
}
