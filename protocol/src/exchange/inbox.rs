//! What a neighbour says.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Action, Exchange, Fault};
use crate::{
    bitfield::Bitfield,
    bounds::MAX_CHANNELS_PER_PEER,
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

/// How long a seed that is asked to go on with a blob waits for the chain that the asker knows.
const CHAIN_PATIENCE: Duration = Duration::from_millis(500);

impl Exchange {
    /// Applies a neighbour's message. One that breaks a rule changes nothing and costs the neighbour a strike.
    pub fn handle_message(&mut self, now: Timestamp, from: NodeId, message: Message) {
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.last_heard = now;
        }
        if let Err(fault) = self.apply(now, from, message) {
            self.strike(from, fault);
        }
    }

    fn apply(&mut self, now: Timestamp, from: NodeId, message: Message) -> Result<(), Fault> {
        if let Message::Hello { channel, digest, known_links, source } = message {
            return self.on_hello(now, from, channel, digest, known_links, source);
        }
        let channel = message.channel();
        let Some(neighbour) = self.neighbours.get(&from) else { return Ok(()) };
        let digest = *neighbour.channels.get(&channel).ok_or(Fault::UnknownChannel)?;
        if let Message::Close { reason, .. } = message {
            self.on_close(now, from, channel, &digest, reason);
            return Ok(());
        }
        // We left the blob, and the neighbour does not know it yet.
        if !self.blobs.get(&digest).is_some_and(|blob| blob.sessions.contains(&from)) {
            return Ok(());
        }
        match message {
            Message::Hello { .. } | Message::Close { .. } => {}
            Message::Chain { update, .. } => self.on_chain(now, from, &digest, &update)?,
            Message::Bitfield { pieces, .. } => self.on_bitfield(now, &from, &digest, &pieces)?,
            Message::Have { pieces, .. } if pieces.is_empty() => self.on_keepalive(now, &from, &digest),
            Message::Have { pieces, .. } => self.on_have(&from, &digest, &pieces)?,
            Message::Offer { piece, have, .. } => {
                self.on_have(&from, &digest, &have)?;
                self.on_offer(now, from, &digest, piece);
            }
            Message::Want { pieces, .. } => self.on_want(now, from, digest, pieces),
            Message::DontHave { pieces, .. } => self.on_wants_dropped(now, from, &digest, &pieces, true),
            Message::Busy { pieces, .. } if pieces.is_empty() => self.on_offer_declined(now, from, &digest),
            Message::Busy { pieces, .. } => self.on_busy(now, from, &digest, &pieces),
            Message::Cancel { pieces, .. } => {
                self.on_wants_dropped(now, from, &digest, &pieces, false);
                self.on_cancel_wants(from, digest, pieces);
            }
        }
        Ok(())
    }

    fn on_hello(
        &mut self,
        now: Timestamp,
        from: NodeId,
        channel: Channel,
        digest: Digest,
        known_links: u32,
        source: Option<ImageName>,
    ) -> Result<(), Fault> {
        let Some(neighbour) = self.neighbours.get_mut(&from) else { return Ok(()) };
        match neighbour.channels.get(&channel) {
            Some(known) if *known != digest => return Err(Fault::UnknownChannel),
            None if neighbour.channels.len() >= MAX_CHANNELS_PER_PEER => return Err(Fault::TooManyChannels),
            _ => {}
        }
        neighbour.channels.insert(channel, digest);
        if neighbour.is_closing(&digest) {
            return Ok(());
        }
        let Some(blob) = self.blobs.get(&digest) else {
            self.look_up(digest, from, channel, known_links, source);
            return Ok(());
        };
        let asks_seed_to_pull = self.config.is_seed && source.is_some();
        if asks_seed_to_pull && blob.fetch.as_ref().is_some_and(|fetch| !fetch.authoring) {
            self.push(Action::Lookup { digest, from, source });
            self.break_tie(now, &digest, from);
        }
        self.welcome(now, &digest, from, channel, known_links);
        self.fill_slots(now);
        Ok(())
    }

    fn look_up(
        &mut self,
        digest: Digest,
        from: NodeId,
        channel: Channel,
        known_links: u32,
        source: Option<ImageName>,
    ) {
        let neighbour = self.neighbours.get_mut(&from);
        if neighbour.is_some_and(|neighbour| neighbour.wait(digest, channel, known_links)) {
            self.push(Action::Lookup { digest, from, source });
        } else {
            self.refuse(from, digest, CloseReason::Full);
        }
    }

    /// Takes a neighbour that said hello into a blob.
    fn welcome(&mut self, now: Timestamp, digest: &Digest, from: NodeId, channel: Channel, known_links: u32) {
        let distance = self.distance(&from);
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let limit = if blob.is_complete() || self.config.is_seed {
            self.config.hold_neighbours
        } else {
            self.config.fetch_neighbours
        };
        if !blob.sessions.contains(&from) && blob.sessions.len() >= limit {
            return self.refuse(from, *digest, CloseReason::Full);
        }
        blob.last_used = now;
        let session = blob.session_with(from, distance);
        session.their_channel = Some(channel);
        if known_links > 0
            && blob.chain.is_none()
            && let Some(fetch) = &mut blob.fetch
        {
            fetch.chain_expected_until = fetch.started + CHAIN_PATIENCE;
        }
        self.introduce(now, digest, &from);
    }

    /// Tells a neighbour who we are in this blob: hello, chain, pieces.
    fn introduce(&mut self, now: Timestamp, digest: &Digest, node: &NodeId) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let (channel, known_links) = (blob.channel, blob.known_links());
        let Some(session) = blob.sessions.get_mut(node) else { return };
        if !session.hello_sent {
            session.hello_sent = true;
            self.send(*node, Message::Hello { channel, digest: *digest, known_links, source: None });
        }
        self.push_chain(digest, node);
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let Some(session) = blob.sessions.get_mut(node) else { return };
        if !session.is_open() || session.bitfield_sent || blob.chain.is_none() {
            return;
        }
        session.bitfield_sent = true;
        session.unannounced.clear();
        session.last_have = now;
        if !blob.have.is_empty() {
            let pieces = blob.have.clone();
            self.send(*node, Message::Bitfield { channel, pieces });
        }
    }

    /// The geometry became known, or the chain grew: everyone in the blob is told.
    pub(super) fn introduce_everyone(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let nodes: Vec<NodeId> =
            blob.sessions.iter().filter(|(_, session)| session.is_open()).map(|(node, _)| *node).collect();
        nodes.iter().for_each(|node| self.introduce(now, digest, node));
    }

    pub(super) fn welcome_waiting(&mut self, now: Timestamp, digest: &Digest) {
        for (node, channel, known_links) in self.take_waiting(digest) {
            self.welcome(now, digest, node, channel, known_links);
        }
    }

    pub(super) fn answer_waiting(&mut self, digest: &Digest, reason: CloseReason) {
        for (node, _, _) in self.take_waiting(digest) {
            self.refuse(node, *digest, reason);
        }
    }

    fn on_bitfield(
        &mut self,
        now: Timestamp,
        from: &NodeId,
        digest: &Digest,
        pieces: &Bitfield,
    ) -> Result<(), Fault> {
        let Some(blob) = self.blobs.get_mut(digest).filter(|blob| blob.chain.is_some()) else {
            return Ok(());
        };
        if pieces.len() != blob.have.len() {
            return Err(Fault::NoSuchPiece);
        }
        for piece in pieces.iter() {
            blob.neighbour_has(from, piece);
        }
        self.pull(now, digest);
        Ok(())
    }

    /// Pieces that a neighbour has.
    fn on_have(&mut self, from: &NodeId, digest: &Digest, pieces: &[PieceIndex]) -> Result<(), Fault> {
        let Some(blob) = self.blobs.get_mut(digest).filter(|blob| blob.chain.is_some()) else {
            return Ok(());
        };
        let all_known = pieces.iter().all(|piece| blob.neighbour_has(from, *piece));
        if all_known { Ok(()) } else { Err(Fault::NoSuchPiece) }
    }
}
