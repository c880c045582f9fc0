//! A node with an open control stream.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use super::{Distance, Exchange};
use crate::{
    bounds::MAX_CHANNELS_PER_PEER, digest::Digest, geometry::PieceIndex, identity::NodeId, time::Timestamp,
    wire::Channel,
};

/// Blobs that one neighbour may wait for an answer about at a time: two images' worth of layers.
const MAX_WAITING: usize = 128;
/// Pieces no longer wanted that may still arrive; more than a neighbour could have been asked for at once.
const MAX_LATE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Neighbour {
    pub(super) distance: Distance,
    /// The channels that it opened.
    pub(super) channels: BTreeMap<Channel, Digest>,
    /// Its hellos about blobs that the surroundings are looking up: its channel, and the links it knows.
    pub(super) waiting: BTreeMap<Digest, (Channel, u32)>,
    /// When bytes of a piece last came from it.
    pub(super) last_byte: Timestamp,
    /// When it last said anything.
    pub(super) last_heard: Timestamp,
    /// Blobs that we closed and it has not closed yet. Until then what it says about them is from before.
    closing: BTreeSet<Digest>,
    /// Pieces that were asked for and are no longer wanted. The lane and the control stream keep no common order, so
    /// they may come after a channel was closed.
    late: VecDeque<(Channel, PieceIndex)>,
}

impl Neighbour {
    pub(super) fn is_closing(&self, digest: &Digest) -> bool {
        self.closing.contains(digest)
    }

    pub(super) fn closed_by_us(&mut self, digest: Digest) {
        // One that never answers gets no more sessions on these blobs; forgetting the lowest costs nothing worse.
        if self.closing.len() >= MAX_CHANNELS_PER_PEER {
            self.closing.pop_first();
        }
        self.closing.insert(digest);
    }

    /// True when that ends a blob that we closed.
    pub(super) fn closed_by_it(&mut self, digest: &Digest) -> bool {
        self.closing.remove(digest)
    }

    /// False when too much waits already.
    pub(super) fn wait(&mut self, digest: Digest, channel: Channel, known_links: u32) -> bool {
        let is_full = self.waiting.len() >= MAX_WAITING && !self.waiting.contains_key(&digest);
        if !is_full {
            self.waiting.insert(digest, (channel, known_links));
        }
        !is_full
    }

    pub(super) fn expect_late(&mut self, channel: Channel, piece: PieceIndex) {
        if self.late.len() >= MAX_LATE {
            self.late.pop_front();
        }
        self.late.push_back((channel, piece));
    }

    /// True, once, for a piece whose want was dropped.
    pub(super) fn take_late(&mut self, channel: Channel, piece: PieceIndex) -> bool {
        let position = self.late.iter().position(|late| *late == (channel, piece));
        position.and_then(|position| self.late.remove(position)).is_some()
    }
}

impl Exchange {
    pub(super) fn is_closing(&self, node: &NodeId, digest: &Digest) -> bool {
        self.neighbours.get(node).is_some_and(|neighbour| neighbour.is_closing(digest))
    }

    /// Takes the hellos that waited for word about a blob.
    pub(super) fn take_waiting(&mut self, digest: &Digest) -> Vec<(NodeId, Channel, u32)> {
        let waiting = self.neighbours.iter_mut().filter_map(|(node, neighbour)| {
            neighbour.waiting.remove(digest).map(|(channel, links)| (*node, channel, links))
        });
        waiting.collect()
    }
}
