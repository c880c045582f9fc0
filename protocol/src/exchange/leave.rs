//! Leaving: how sessions end, and what they held is freed.
//!
//! Either side may close a blob, and the other answers by closing it too. Until that answer came, what the neighbour
//! says about the blob belongs to the session that ended, and no other is opened.

use alloc::vec::Vec;

use super::{Action, Exchange, blob::Blob, session::Session};
use crate::{
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

impl Exchange {
    /// Takes a neighbour out of a blob, and frees what it held.
    pub(super) fn drop_session(&mut self, now: Timestamp, digest: &Digest, node: &NodeId) -> Option<Session> {
        let session = self.blobs.get_mut(digest)?.remove_session(node, now)?;
        if let (Some(neighbour), Some(channel)) = (self.neighbours.get_mut(node), session.their_channel) {
            session.wants.keys().for_each(|piece| neighbour.expect_late(channel, *piece));
        }
        self.offers.remove(&(*node, *digest));
        let orphaned: Vec<_> = self
            .uploads
            .range((*node, *digest, 0)..=(*node, *digest, PieceIndex::MAX))
            .map(|(upload, _)| *upload)
            .collect();
        for (to, digest, piece) in orphaned {
            self.push(Action::CancelUpload { to, digest, piece });
        }
        Some(session)
    }

    /// Leaves a blob, telling everyone in it.
    pub(super) fn close_blob(&mut self, now: Timestamp, digest: &Digest, reason: CloseReason) {
        self.close_sessions(now, digest, reason);
        self.blobs.remove(digest);
    }

    pub(super) fn close_sessions(&mut self, now: Timestamp, digest: &Digest, reason: CloseReason) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let channel = blob.channel;
        let nodes: Vec<NodeId> = blob.sessions.nodes().to_vec();
        for node in nodes {
            self.drop_session(now, digest, &node);
            if let Some(neighbour) = self.neighbours.get_mut(&node) {
                neighbour.closed_by_us(*digest);
            }
            self.send(node, Message::Close { channel, reason });
        }
    }

    /// A neighbour closed a blob: by itself, in answer to our close, or in answer to our hello.
    pub(super) fn on_close(
        &mut self,
        now: Timestamp,
        from: NodeId,
        channel: Channel,
        digest: &Digest,
        reason: CloseReason,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&from) else { return };
        neighbour.channels.remove(&channel);
        if neighbour.closed_by_it(digest) {
            return self.reopen(now, digest, from);
        }
        if neighbour.waiting.get(digest).is_some_and(|(waiting_on, _)| *waiting_on == channel) {
            neighbour.waiting.remove(digest);
            return self.refuse(from, *digest, CloseReason::Done);
        }
        let Some(blob) = self.blobs.get(digest) else { return };
        if blob.sessions.get(&from).is_none_or(|session| session.their_channel != Some(channel)) {
            return;
        }
        let ours = blob.channel;
        self.drop_session(now, digest, &from);
        self.send(from, Message::Close { channel: ours, reason: CloseReason::Done });
        self.on_refused(now, from, digest, reason);
        self.fill_slots(now);
    }

    /// The last session with a neighbour has ended on both sides; one that is wanted again can begin.
    fn reopen(&mut self, now: Timestamp, digest: &Digest, node: NodeId) {
        if self.blobs.get(digest).is_some_and(|blob| super::ladder::wants_neighbour(blob, &node)) {
            self.open_session(digest, node);
        }
        self.climb(now, digest);
    }

    /// Answers a hello with a hello, which names our channel, and closes it.
    pub(super) fn refuse(&mut self, node: NodeId, digest: Digest, reason: CloseReason) {
        let channel = self.new_channel();
        self.send(node, Message::Hello { channel, digest, known_links: 0, source: None });
        self.send(node, Message::Close { channel, reason });
    }

    /// Blobs that nobody uses are no longer served from here until somebody asks again.
    pub(super) fn forget_idle(&mut self, now: Timestamp) {
        let uploaded = |digest: &Digest| self.uploads.keys().any(|(_, upload, _)| upload == digest);
        let idle = |blob: &Blob| blob.is_complete() && now.since(blob.last_used) >= self.config.hold_idle;
        let digests: Vec<Digest> = self
            .blobs
            .iter()
            .filter(|(digest, blob)| idle(blob) && !uploaded(digest))
            .map(|(digest, _)| *digest)
            .collect();
        digests.iter().for_each(|digest| self.close_blob(now, digest, CloseReason::Done));
    }
}
