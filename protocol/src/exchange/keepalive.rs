//! Waiting for a slow origin: who says that it is worth it, and who is believed.

use alloc::vec::Vec;
use core::time::Duration;

use super::Exchange;
use crate::{digest::Digest, identity::NodeId, time::Timestamp, wire::Message};

/// Peers that pass on that the origin is at work are believed this long after the last piece.
const RELAYED_PATIENCE: Duration = Duration::from_secs(120);

impl Exchange {
    /// A neighbour says that its source is at work. From a seed that counts as long as it says so, from a peer that
    /// passes it on for a limited time.
    pub(super) fn on_keepalive(&mut self, now: Timestamp, from: &NodeId, digest: &Digest) {
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        // A seed believes only another that it asked, and none once it has asked the origin itself: two that heard
        // each other would wait for ever.
        let is_source = if self.config.is_seed {
            fetch.asked.get(from) == Some(&None) && !fetch.asked.contains_key(&self.config.me)
        } else {
            fetch.members.seeds.contains(from)
        };
        if is_source {
            fetch.seed_heard = now;
        }
        let is_relayed = !self.config.is_seed && now.since(fetch.last_piece) < RELAYED_PATIENCE;
        if is_source || is_relayed {
            fetch.last_progress = now;
        }
    }

    /// While the origin delivers, tells those who wait that they need not give up. A peer passes a seed's word on,
    /// once, since not everyone may be the seed's neighbour.
    pub(super) fn keep_alive(&mut self, now: Timestamp, digest: &Digest) {
        let is_seed = self.config.is_seed;
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let Some(fetch) = blob.fetch.as_mut() else { return };
        let is_due = now.since(fetch.last_keepalive) >= self.config.keepalive;
        let heard = if is_seed { fetch.last_piece.max(fetch.seed_heard) } else { fetch.seed_heard };
        if !is_due || !(fetch.authoring || heard > fetch.last_keepalive) {
            return;
        }
        fetch.last_keepalive = now;
        let channel = blob.channel;
        let nodes: Vec<NodeId> = blob
            .sessions
            .iter()
            .filter(|(_, session)| session.is_open() && !session.is_complete())
            .map(|(node, _)| *node)
            .collect();
        for node in nodes {
            self.send(node, Message::Have { channel, pieces: Vec::new() });
        }
    }
}
