//! The sending side: slots, offers, and answers to wants.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::{Action, Distance, Exchange, Offered, blob::Blob, session::Session, smooth};
use crate::{
    bounds::MAX_PIECES_LISTED, digest::Digest, geometry::PieceIndex, identity::NodeId, time::Timestamp,
    wire::Message,
};

/// Pieces on their way out, those counted that do not move.
const MAX_UPLOADS: usize = 64;
/// An offer that waits so many times as long as others for its answer is to somebody who may be gone.
const ANSWER_FACTOR: u32 = 8;
/// No answer is late before this.
const SHORTEST_ANSWER: Duration = Duration::from_millis(20);

/// A neighbour that an offer may go to.
struct Receiver<'a> {
    digest: &'a Digest,
    node: &'a NodeId,
    /// How many it has already.
    pieces: u32,
    /// It is offered something before all who do not come first.
    comes_first: bool,
}

impl Exchange {
    /// An upload ended; its slot is free. `sent` tells whether all of it went out.
    pub fn handle_uploaded(
        &mut self,
        now: Timestamp,
        to: NodeId,
        digest: Digest,
        piece: PieceIndex,
        sent: bool,
    ) {
        if let Some(since) = self.uploads.remove(&(to, digest, piece))
            && sent
        {
            smooth(&mut self.upload_time, now.since(since));
        }
        if let Some(blob) = self.blobs.get_mut(&digest) {
            blob.last_used = now;
            if sent {
                // It will say so itself, but until then others need the next offer more.
                blob.neighbour_has(&to, piece);
            } else if let Some(session) = blob.sessions.get_mut(&to) {
                session.offer_after = now + self.config.avoid;
                let channel = blob.channel;
                self.send(to, Message::Cancel { channel, pieces: vec![piece] });
            }
        }
        self.fill_slots(now);
    }

    /// Offers a piece for every free slot, as long as somebody lacks something.
    pub(super) fn fill_slots(&mut self, now: Timestamp) {
        while self.has_free_slot(now) {
            let Some((digest, node)) = self.choose_receiver(now) else { return };
            self.offer(now, &digest, node);
        }
        if let Some(slow) = self.next_slow(now) {
            self.wake_at(slow);
        }
    }

    /// When an upload that holds a slot gives it up unless it ends before.
    fn next_slow(&self, now: Timestamp) -> Option<Timestamp> {
        let slow_after = self.slow_after(self.upload_time);
        self.uploads.values().map(|since| *since + slow_after).filter(|slow| *slow > now).min()
    }

    /// Uploads that a receiver or its link holds up, perhaps for ever, do not count, nor do offers to somebody who is
    /// slower to answer than others.
    fn has_free_slot(&self, now: Timestamp) -> bool {
        let (slow_after, answer_after) = (self.slow_after(self.upload_time), self.answer_after());
        let moving = self.uploads.values().filter(|since| now.since(**since) < slow_after).count();
        let open = self.offers.values().filter(|offer| now.since(offer.since) < answer_after).count();
        moving + open < self.agreed_limit(self.upload_time)
            && self.uploads.len() + self.offers.len() < MAX_UPLOADS
    }

    fn answer_after(&self) -> Duration {
        (self.answer_time * ANSWER_FACTOR).clamp(SHORTEST_ANSWER, self.config.offer_timeout)
    }

    /// Of two random neighbours that lack something we have, the one with less.
    fn choose_receiver(&mut self, now: Timestamp) -> Option<(Digest, NodeId)> {
        let (mut lacking, mut free) = (0, Vec::<Receiver>::new());
        for (digest, blob) in &self.blobs {
            let is_near_first = blob.is_first_pass();
            for (node, session) in blob.sessions.iter().filter(|(_, session)| blob.is_lacking(session)) {
                lacking += 1;
                if now >= session.offer_after {
                    let comes_first = is_near_first && session.distance == Distance::Near;
                    free.push(Receiver { digest, node, pieces: session.count(), comes_first });
                }
            }
        }
        // Transfers that one neighbour may have at a time: more than one only when those who lack something, whether
        // they may be offered something now or not, are fewer than slots. Each of them counts with the same.
        let limit = self.spanned(self.upload_time).div_ceil(lacking.max(1));
        let busy = self.nodes_with_uploads(limit);
        free.retain(|free| {
            busy.binary_search(&free.node).is_err() && !self.offers.contains_key(&(*free.node, *free.digest))
        });
        if free.iter().any(|free| free.comes_first) {
            free.retain(|free| free.comes_first);
        }
        if free.is_empty() {
            return None;
        }
        let first = &free[self.rng.usize(..free.len())];
        let second = &free[self.rng.usize(..free.len())];
        let chosen = if second.pieces < first.pieces { second } else { first };
        Some((*chosen.digest, *chosen.node))
    }

    /// Those to whom so many pieces are on their way, or more, in order.
    fn nodes_with_uploads(&self, least: usize) -> Vec<&NodeId> {
        let mut nodes: Vec<&NodeId> = Vec::new();
        let (mut last, mut count) = (None, 0);
        for (node, _, _) in self.uploads.keys() {
            count = if last == Some(node) { count + 1 } else { 1 };
            last = Some(node);
            if count == least {
                nodes.push(node);
            }
        }
        nodes
    }

    fn offer(&mut self, now: Timestamp, digest: &Digest, node: NodeId) {
        self.push_chain(digest, &node);
        let piece = self.next_unsent(digest);
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let channel = blob.channel;
        let Some(session) = blob.sessions.get_mut(&node) else { return };
        let news = session.unannounced.len().min(MAX_PIECES_LISTED);
        let have = session.unannounced.drain(..news).collect();
        session.last_have = now;
        self.offers.insert((node, *digest), Offered { piece, since: now });
        self.send(node, Message::Offer { channel, piece, have });
        self.wake_at(now + self.answer_after());
    }

    /// On a seed's first pass: the first piece that was neither sent nor is being offered.
    fn next_unsent(&self, digest: &Digest) -> Option<PieceIndex> {
        let blob = self.blobs.get(digest)?;
        let taken = |piece: &PieceIndex| {
            self.offers.iter().any(|((_, offered), offer)| offered == digest && offer.piece == Some(*piece))
                || self.uploads.keys().any(|(_, sent, index)| sent == digest && index == piece)
        };
        blob.unsent.as_ref()?.iter().find(|piece| blob.have.has(*piece) && !taken(piece))
    }

    /// A neighbour asks for pieces: its answer to our offer, or a pull.
    pub(super) fn on_want(&mut self, now: Timestamp, from: NodeId, digest: Digest, pieces: Vec<PieceIndex>) {
        let offer = self.offers.remove(&(from, digest));
        let mut offered = offer.is_some();
        if let Some(offer) = offer {
            smooth(&mut self.answer_time, now.since(offer.since));
        }
        let (mut absent, mut refused) = (Vec::new(), Vec::new());
        for piece in pieces {
            let Some(blob) = self.blobs.get_mut(&digest) else { return };
            if !blob.have.has(piece) {
                absent.push(piece);
                continue;
            }
            if !offered && !self.may_be_pulled(now) {
                refused.push(piece);
                continue;
            }
            if !offered {
                self.last_pulled = Some((from, digest, piece));
            }
            self.upload(now, from, digest, piece, offered);
            offered = false;
        }
        let Some(channel) = self.blobs.get(&digest).map(|blob| blob.channel) else { return };
        if !absent.is_empty() {
            self.send(from, Message::DontHave { channel, pieces: absent });
        }
        if !refused.is_empty() {
            self.send(from, Message::Busy { channel, pieces: refused });
        }
        self.fill_slots(now);
    }

    /// True when a piece may go to somebody who was not offered one. One at a time may even when all slots are taken:
    /// whoever pulls has nothing on its way, and a seed that is busy with its first pass offers it nothing for as long
    /// as that takes.
    fn may_be_pulled(&self, now: Timestamp) -> bool {
        let is_under_way = self.last_pulled.is_some_and(|upload| self.uploads.contains_key(&upload));
        self.has_free_slot(now) || !is_under_way && self.uploads.len() + self.offers.len() < MAX_UPLOADS
    }

    fn upload(&mut self, now: Timestamp, to: NodeId, digest: Digest, piece: PieceIndex, was_offered: bool) {
        if self.uploads.contains_key(&(to, digest, piece)) {
            return;
        }
        self.uploads.insert((to, digest, piece), now);
        let Some(blob) = self.blobs.get_mut(&digest) else { return };
        blob.last_used = now;
        let channel = blob.channel;
        if was_offered && let Some(session) = blob.sessions.get_mut(&to) {
            session.accepted();
        }
        self.push(Action::Upload { to, digest, channel, piece });
    }

    /// A neighbour declined our offer.
    pub(super) fn on_offer_declined(&mut self, now: Timestamp, from: NodeId, digest: &Digest) {
        let Some(offer) = self.offers.remove(&(from, *digest)) else { return };
        smooth(&mut self.answer_time, now.since(offer.since));
        let turn_time =
            self.piece_time.max(self.upload_time) / u32::try_from(self.slots()).unwrap_or(u32::MAX).max(1);
        if let Some(session) = self.blobs.get_mut(digest).and_then(|blob| blob.sessions.get_mut(&from)) {
            session.declined(now, turn_time, &mut self.rng);
            let again = session.offer_after;
            self.wake_at(again);
        }
        self.fill_slots(now);
    }

    /// A neighbour no longer wants pieces.
    pub(super) fn on_cancel_wants(&mut self, from: NodeId, digest: Digest, pieces: Vec<PieceIndex>) {
        for piece in pieces {
            if self.uploads.contains_key(&(from, digest, piece)) {
                self.push(Action::CancelUpload { to: from, digest, piece });
            }
        }
    }

    /// Frees the slots of offers that nobody answered.
    pub(super) fn expire_offers(&mut self, now: Timestamp) {
        let expired: Vec<(NodeId, Digest)> = self
            .offers
            .iter()
            .filter(|(_, offer)| now.since(offer.since) >= self.config.offer_timeout)
            .map(|(key, _)| *key)
            .collect();
        for (node, digest) in expired {
            self.offers.remove(&(node, digest));
            if let Some(session) = self.blobs.get_mut(&digest).and_then(|blob| blob.sessions.get_mut(&node)) {
                session.offer_after = now + self.config.avoid;
            }
        }
    }
}

impl Exchange {
    /// When the next neighbour may be offered something that it declined before.
    pub(super) fn next_offer(&self, now: Timestamp) -> Option<Timestamp> {
        let paused = self.blobs.values().flat_map(|blob| {
            let later = blob.sessions.values().filter(|session| session.offer_after > now);
            later.filter(|session| blob.is_lacking(session)).map(|session| session.offer_after)
        });
        paused.min()
    }
}

impl Blob {
    /// True while a seed has pieces that it sent to nobody. They go to its own zone, if that has room: whose nodes take
    /// nothing from other zones that a seed near them has, while other zones take pieces from any of them.
    fn is_first_pass(&self) -> bool {
        self.unsent.as_ref().is_some_and(|unsent| unsent.count() > 0)
    }

    /// True when the neighbour may be offered something, now or after a pause.
    fn is_lacking(&self, session: &Session) -> bool {
        session.is_open() && self.can_help(session)
    }
}
