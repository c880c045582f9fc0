//! The receiving side: which piece to ask for, from whom, and when to give up on somebody.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::{Action, Arrival, Exchange, Fault, PieceOutcome, Refused, blob::Blob, config, session::Session};
use crate::{
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    time::Timestamp,
    wire::{Channel, Message},
};

/// A neighbour that is pulled from and has no slot is left alone for this long.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// A fetch with nothing on its way for this long no longer waits for offers but pulls.
const PULL_AFTER: Duration = Duration::from_millis(20);

impl Exchange {
    /// A lane announces a piece. The answer tells how to verify it; then `handle_piece` is owed.
    ///
    /// # Errors
    /// When the piece is not wanted: its bytes are to be read over, or, for a wrong length, the lane to be closed.
    pub fn handle_piece_start(
        &mut self,
        now: Timestamp,
        from: NodeId,
        channel: Channel,
        piece: PieceIndex,
        len_bytes: u32,
    ) -> Result<Arrival, Refused> {
        let arrival = self.expect_piece(now, from, channel, piece, len_bytes);
        if let Err(Refused::Unasked | Refused::Length) = arrival {
            self.strike(from, Fault::UnaskedPiece);
        }
        arrival
    }

    fn expect_piece(
        &mut self,
        now: Timestamp,
        from: NodeId,
        channel: Channel,
        piece: PieceIndex,
        len_bytes: u32,
    ) -> Result<Arrival, Refused> {
        let neighbour = self.neighbours.get_mut(&from).ok_or(Refused::Late)?;
        neighbour.last_byte = now;
        let digest = *neighbour.channels.get(&channel).ok_or(Refused::Unasked)?;
        let blob = self.blobs.get_mut(&digest).ok_or(Refused::Late)?;
        let session = blob.sessions.get_mut(&from).ok_or(Refused::Late)?;
        if !session.wants.contains_key(&piece) {
            return Err(if session.take_late(piece) { Refused::Late } else { Refused::Unasked });
        }
        let check = blob.chain.as_ref().and_then(|chain| chain.check(piece)).ok_or(Refused::Late)?;
        if check.len_bytes() != len_bytes {
            return Err(Refused::Length);
        }
        Ok(Arrival { digest, check })
    }

    /// Bytes of a piece came from a neighbour: it is alive.
    pub fn handle_progress(&mut self, now: Timestamp, from: NodeId) {
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.last_byte = now;
        }
        for fetch in self.blobs.values_mut().filter_map(|blob| blob.fetch.as_mut()) {
            if fetch.in_flight.values().any(|node| *node == from) {
                fetch.last_progress = now;
            }
        }
    }

    /// What became of a piece that `handle_piece_start` let in.
    pub fn handle_piece(
        &mut self,
        now: Timestamp,
        from: NodeId,
        digest: Digest,
        piece: PieceIndex,
        outcome: PieceOutcome,
    ) {
        let Some(blob) = self.blobs.get_mut(&digest) else { return };
        if let Some(fetch) = blob.fetch.as_mut().filter(|fetch| fetch.in_flight.get(&piece) == Some(&from)) {
            fetch.landed(piece, now);
        }
        let asked_at = blob.sessions.get_mut(&from).and_then(|session| session.wants.remove(&piece));
        match outcome {
            PieceOutcome::Stored => {
                self.time_piece(now, asked_at);
                self.gain_piece(now, &digest, piece);
            }
            PieceOutcome::Corrupt => self.judge_corrupt(now, &digest, piece, from),
            PieceOutcome::Lost => self.avoid(now, &digest, &from),
        }
        self.pull(now, &digest);
        self.fill_slots(now);
    }

    fn time_piece(&mut self, now: Timestamp, asked_at: Option<Timestamp>) {
        let Some(asked_at) = asked_at else { return };
        let sample = now.since(asked_at);
        self.piece_time = if self.piece_time.is_zero() { sample } else { (self.piece_time * 7 + sample) / 8 };
    }

    /// A piece is verified and stored: tells the neighbours, and the end if it was the last.
    pub(super) fn gain_piece(&mut self, now: Timestamp, digest: &Digest, piece: PieceIndex) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        if !blob.have.set(piece) {
            return;
        }
        blob.last_used = now;
        if let Some(fetch) = &mut blob.fetch {
            fetch.last_progress = now;
            fetch.landed(piece, now);
        }
        for session in
            blob.sessions.values_mut().filter(|session| session.is_open() && !session.is_complete())
        {
            session.unannounced.push(piece);
        }
        self.flush_haves(now, digest);
        self.finish_if_whole(now, digest);
    }

    pub(super) fn finish_if_whole(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let is_whole = blob.chain.as_ref().is_some_and(crate::chain::Chain::is_whole) && blob.have.is_full();
        if !is_whole {
            return;
        }
        let Some(fetch) = blob.fetch.take() else { return };
        blob.last_used = now;
        self.push(Action::Complete { digest: *digest });
        // The chain closed on the digest: whoever sent a piece that did not fit it was wrong.
        let liars: alloc::collections::BTreeSet<NodeId> = fetch.corrupt.into_values().flatten().collect();
        for node in liars {
            self.strike(node, Fault::CorruptPiece);
        }
    }

    /// Tells neighbours of new pieces: at once when nothing went out lately, together with more otherwise.
    pub(super) fn flush_haves(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let channel = blob.channel;
        let is_due = |session: &Session| {
            !session.unannounced.is_empty() && now.since(session.last_have) >= self.config.have_delay
        };
        let due: Vec<NodeId> =
            blob.sessions.iter().filter(|(_, session)| is_due(session)).map(|(node, _)| *node).collect();
        for node in due {
            self.push_chain(digest, &node);
            let Some(blob) = self.blobs.get_mut(digest) else { return };
            let Some(session) = blob.sessions.get_mut(&node) else { continue };
            let news = session.unannounced.len().min(crate::bounds::MAX_PIECES_LISTED);
            let pieces = session.unannounced.drain(..news).collect();
            session.last_have = now;
            self.send(node, Message::Have { channel, pieces });
        }
        if self.owes_haves() {
            self.wake_at(now + self.config.have_delay);
        }
    }

    pub(super) fn owes_haves(&self) -> bool {
        self.blobs.values().any(|blob| blob.sessions.values().any(|session| !session.unannounced.is_empty()))
    }

    /// A neighbour has a free slot for us.
    pub(super) fn on_offer(
        &mut self,
        now: Timestamp,
        from: NodeId,
        digest: &Digest,
        named: Option<PieceIndex>,
    ) {
        let has_room = self.in_flight() < self.slots() && self.owed_by(&from) < self.receive_limit(digest);
        let Some(blob) = self.blobs.get(digest) else { return };
        let channel = blob.channel;
        let choice =
            blob.sessions.get(&from).filter(|session| !session.distrusted && has_room).and_then(|session| {
                named
                    .filter(|piece| blob.needs(*piece) && session.has(*piece))
                    .or_else(|| pick(blob, session, now, self.config.reader_patience, &mut self.rng))
            });
        match choice {
            Some(piece) => self.want(now, digest, from, piece),
            None => self.send(from, Message::Busy { channel, pieces: Vec::new() }),
        }
    }

    /// Pieces on their way in, of all blobs.
    fn in_flight(&self) -> usize {
        self.blobs.values().filter_map(|blob| blob.fetch.as_ref()).map(|fetch| fetch.in_flight.len()).sum()
    }

    fn owed_by(&self, node: &NodeId) -> usize {
        let owed = |blob: &Blob| blob.sessions.get(node).map_or(0, |session| session.wants.len());
        self.blobs.values().map(owed).sum()
    }

    /// Pieces that one neighbour may owe us at a time.
    fn receive_limit(&self, digest: &Digest) -> usize {
        let sources = self.blobs.get(digest).map_or(1, |blob| {
            blob.sessions.values().filter(|session| session.is_open() && session.count() > 0).count()
        });
        self.per_neighbour(config::slots_for(u32::MAX).min(self.slots()), sources)
    }

    fn want(&mut self, now: Timestamp, digest: &Digest, from: NodeId, piece: PieceIndex) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let channel = blob.channel;
        let (Some(session), Some(fetch)) = (blob.sessions.get_mut(&from), blob.fetch.as_mut()) else {
            return;
        };
        session.wants.insert(piece, now);
        fetch.in_flight.insert(piece, from);
        self.send(from, Message::Want { channel, pieces: vec![piece] });
        self.wake_at(now + super::TICK);
    }

    /// The safety net: with nothing on its way, or a reader kept waiting, asks whoever owes us least.
    pub(super) fn pull(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        let is_idle = fetch.in_flight.is_empty() && now.since(fetch.idle_since) >= PULL_AFTER;
        let starving = overdue(blob, now, self.config.reader_patience);
        if !is_idle && starving.is_none() {
            return;
        }
        let mut sources: Vec<(usize, u32, NodeId)> = blob
            .sessions
            .iter()
            .filter(|(_, session)| session.may_ask(now))
            .filter(|(_, session)| match starving {
                Some(piece) => session.has(piece),
                None => session
                    .pieces
                    .as_ref()
                    .is_some_and(|theirs| theirs.minus(&blob.have).any(|piece| blob.needs(piece))),
            })
            .map(|(node, _)| (self.owed_by(node), 0, *node))
            .collect();
        sources.iter_mut().for_each(|source| source.1 = self.rng.u32(..));
        let Some((_, _, node)) = sources.into_iter().min() else { return };
        let choice = self.blobs.get(digest).and_then(|blob| {
            pick(blob, blob.sessions.get(&node)?, now, self.config.reader_patience, &mut self.rng)
        });
        if let Some(piece) = choice {
            self.want(now, digest, node, piece);
        }
    }

    /// A neighbour has no slot for what we wanted.
    pub(super) fn on_busy(&mut self, now: Timestamp, from: NodeId, digest: &Digest, pieces: &[PieceIndex]) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        for piece in pieces {
            release(blob, &from, *piece, now);
        }
        if let Some(session) = blob.sessions.get_mut(&from) {
            session.want_after = now + BUSY_PAUSE;
        }
        self.pull(now, digest);
    }

    /// A neighbour won't send pieces: it lacks them, or could not.
    pub(super) fn on_wants_dropped(
        &mut self,
        now: Timestamp,
        from: NodeId,
        digest: &Digest,
        pieces: &[PieceIndex],
        lacks: bool,
    ) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        for piece in pieces {
            release(blob, &from, *piece, now);
            if lacks {
                blob.neighbour_lacks(&from, *piece);
            }
        }
        self.pull(now, digest);
    }

    /// Gives up on neighbours that owe pieces and sent no byte for too long.
    pub(super) fn expire_wants(&mut self, now: Timestamp) {
        let patience = self.config.piece_timeout + self.piece_time * 2;
        let mut silent = Vec::new();
        for (digest, blob) in &self.blobs {
            for (node, session) in &blob.sessions {
                let Some(oldest) = session.wants.values().min() else { continue };
                let last_byte =
                    self.neighbours.get(node).map_or(Timestamp::ZERO, |neighbour| neighbour.last_byte);
                if now.since(last_byte.max(*oldest)) >= patience {
                    silent.push((*digest, *node));
                }
            }
        }
        for (digest, node) in silent {
            self.avoid(now, &digest, &node);
        }
    }

    /// Takes back what was asked of a neighbour and leaves it alone for a while.
    fn avoid(&mut self, now: Timestamp, digest: &Digest, node: &NodeId) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let channel = blob.channel;
        let Some(session) = blob.sessions.get_mut(node) else { return };
        session.want_after = now + self.config.avoid;
        let pieces: Vec<PieceIndex> = session.wants.keys().copied().collect();
        pieces.iter().for_each(|piece| release(blob, node, *piece, now));
        if !pieces.is_empty() {
            self.send(*node, Message::Cancel { channel, pieces });
        }
    }
}

/// Lets a piece be asked of others again.
fn release(blob: &mut Blob, from: &NodeId, piece: PieceIndex, now: Timestamp) {
    let was_wanted = blob.sessions.get_mut(from).is_some_and(|session| session.drop_want(piece));
    if was_wanted && let Some(fetch) = &mut blob.fetch {
        fetch.landed(piece, now);
    }
}

/// The piece that a reader has been waiting for past its patience, if nobody was asked for it.
fn overdue(blob: &Blob, now: Timestamp, patience: Duration) -> Option<PieceIndex> {
    let readers = blob.fetch.as_ref()?.readers.values();
    readers
        .filter(|reader| now.since(reader.since) >= patience && blob.needs(reader.next))
        .min_by_key(|reader| reader.since)
        .map(|reader| reader.next)
}

/// The piece to ask a neighbour for: what a reader is kept waiting for, else the rarest, ties at random.
fn pick(
    blob: &Blob,
    session: &Session,
    now: Timestamp,
    patience: Duration,
    rng: &mut fastrand::Rng,
) -> Option<PieceIndex> {
    if let Some(piece) = overdue(blob, now, patience).filter(|piece| session.has(*piece)) {
        return Some(piece);
    }
    let theirs = session.pieces.as_ref()?;
    let (mut best, mut best_copies, mut ties) = (None, u16::MAX, 0u32);
    for piece in theirs.minus(&blob.have).filter(|piece| blob.needs(*piece)) {
        let copies = blob.copies[piece as usize];
        if copies < best_copies || best.is_none() {
            (best, best_copies, ties) = (Some(piece), copies, 1);
        } else if copies == best_copies {
            ties += 1;
            if rng.u32(..ties) == 0 {
                best = Some(piece);
            }
        }
    }
    best
}
