//! Pieces that arrive.

use super::{Action, Arrival, Exchange, Fault, PieceOutcome, Refused, smooth};
use crate::{
    chain::Chain,
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    time::Timestamp,
    wire::{Channel, Message},
};
use alloc::{vec, vec::Vec};
use core::time::Duration;

/// Bytes of a piece that was asked for longer ago than this are no progress: somebody drips them.
const DRIP_LIMIT: Duration = Duration::from_secs(120);

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
        let digest = neighbour.channels.get(&channel).copied();
        let blob = digest.and_then(|digest| self.blobs.get_mut(&digest));
        let wanted = blob.filter(|blob| {
            let session = blob.sessions.get(&from);
            session.is_some_and(|session| {
                session.their_channel == Some(channel) && session.wants.contains_key(&piece)
            })
        });
        let (Some(digest), Some(blob)) = (digest, wanted) else {
            let is_late = neighbour.take_late(channel, piece);
            return Err(if is_late { Refused::Late } else { Refused::Unasked });
        };
        neighbour.last_byte = now;
        let check = blob.chain.as_ref().and_then(|chain| chain.check(piece)).ok_or(Refused::Late)?;
        if check.len_bytes() != len_bytes {
            return Err(Refused::Length);
        }
        let fetch = blob.fetch.as_mut().ok_or(Refused::Late)?;
        fetch.arriving.insert((from, piece));
        Ok(Arrival { digest, check })
    }

    /// Bytes of a piece came from a neighbour: it is alive.
    pub fn handle_progress(&mut self, now: Timestamp, from: NodeId) {
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.last_byte = now;
            neighbour.last_heard = now;
        }
        let patience = DRIP_LIMIT + self.piece_time * 4;
        for blob in self.blobs.values_mut() {
            let (Some(fetch), Some(session)) = (&mut blob.fetch, blob.sessions.get(&from)) else { continue };
            if session.wants.values().any(|asked_at| now.since(*asked_at) < patience) {
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
        let Some(fetch) = &mut blob.fetch else { return };
        // Let in under a chain that has proved false since: what it was verified by counts no more.
        if !fetch.arriving.remove(&(from, piece)) {
            return;
        }
        if fetch.in_flight.get(&piece) == Some(&from) {
            fetch.landed(piece, now);
        }
        let asked_at = blob.sessions.get_mut(&from).and_then(|session| session.wants.remove(&piece));
        match outcome {
            PieceOutcome::Stored => {
                self.time_piece(now, asked_at);
                if let Some(session) = self.session_mut(&digest, &from) {
                    session.failures = 0;
                }
                self.gain_piece(now, &digest, piece);
            }
            PieceOutcome::Corrupt => self.judge_corrupt(now, &digest, from),
            PieceOutcome::Lost => self.avoid(now, &digest, &from),
        }
        self.pull(now, &digest);
        self.fill_slots(now);
    }

    fn time_piece(&mut self, now: Timestamp, asked_at: Option<Timestamp>) {
        if let Some(asked_at) = asked_at {
            smooth(&mut self.piece_time, now.since(asked_at));
        }
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
            fetch.last_piece = now;
            fetch.landed(piece, now);
        }
        for session in blob.sessions.values_mut().filter(|session| session.is_open()) {
            session.unannounced.push(piece);
        }
        self.cancel_others(digest, piece);
        self.finish_if_whole(now, digest);
        self.flush_haves(now, digest);
    }

    /// Takes back the wants of a piece that came from somewhere else first.
    fn cancel_others(&mut self, digest: &Digest, piece: PieceIndex) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let channel = blob.channel;
        let owing = blob.sessions.iter().filter(|(_, session)| session.wants.contains_key(&piece));
        let nodes: Vec<NodeId> = owing.map(|(node, _)| *node).collect();
        for node in nodes {
            self.drop_want(digest, &node, piece);
            self.send(node, Message::Cancel { channel, pieces: vec![piece] });
        }
    }

    pub(super) fn finish_if_whole(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let is_whole = blob.chain.as_ref().is_some_and(Chain::is_whole) && blob.have.is_full();
        if !is_whole {
            return;
        }
        let Some(fetch) = blob.fetch.take() else { return };
        blob.last_used = now;
        self.push(Action::Complete { digest: *digest });
        // The chain closed on the digest: whoever sent a piece that did not fit it was wrong.
        for node in fetch.corrupt {
            self.strike(node, Fault::CorruptPiece);
        }
    }
}
