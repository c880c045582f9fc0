//! The receiving side: which piece to ask for, from whom, and when to give up on somebody.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::{Exchange, blob::Blob, session::Session, zones::Border};
use crate::{digest::Digest, geometry::PieceIndex, identity::NodeId, time::Timestamp, wire::Message};

/// A neighbour that is pulled from and has no slot is left alone for this long.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// A neighbour that could not send what it was asked for is left alone for this long.
const FAILED_PAUSE: Duration = Duration::from_millis(200);
/// A neighbour that was not heard for this long is pulled from only when nobody else is there.
const QUIET_AFTER: Duration = Duration::from_millis(500);
/// A fetch with nothing on its way for this long no longer waits for offers but pulls.
const PULL_AFTER: Duration = Duration::from_millis(20);

impl Exchange {
    /// A neighbour has a free slot for us.
    pub(super) fn on_offer(
        &mut self,
        now: Timestamp,
        from: NodeId,
        digest: &Digest,
        named: Option<PieceIndex>,
    ) {
        let has_room = self.in_flight() < self.room(digest) && self.may_owe_more(&from, digest);
        let Some(blob) = self.blobs.get(digest) else { return };
        let channel = blob.channel;
        let choice = blob.sessions.get(&from).filter(|session| has_room && session.may_accept(now)).and_then(
            |session| {
                let border = blob.border(now, &self.config.me, session);
                named
                    .filter(|piece| blob.needs(*piece) && session.can_give(*piece))
                    .or_else(|| pick(blob, session, &border, now, self.config.reader_patience, &mut self.rng))
            },
        );
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

    /// Pieces that may be on their way in. Where about as many neighbours send as that, each may send one: with a piece
    /// from everyone there is nothing to even out, and those who would be declined ask again and again.
    fn room(&self, digest: &Digest) -> usize {
        let (agreed, sources) = (self.agreed_limit(self.piece_time), self.sources(digest));
        if sources <= agreed + self.slots() { agreed.max(sources) } else { agreed }
    }

    /// True when a neighbour owes us fewer pieces than its share of the slots; anyone may owe one. Peers let it owe one
    /// more: of the last, a part is still in a socket when its sender is done with it. A seed does not: what it waits for
    /// in vain it gets from the origin again.
    fn may_owe_more(&self, node: &NodeId, digest: &Digest) -> bool {
        let share = self.spanned(self.piece_time).div_ceil(self.sources(digest).max(1));
        self.owed_by(node) < share + usize::from(!self.config.is_seed)
    }

    /// Neighbours that have anything of the blob.
    fn sources(&self, digest: &Digest) -> usize {
        self.blobs.get(digest).map_or(0, |blob| {
            blob.sessions.values().filter(|session| session.is_open() && session.count() > 0).count()
        })
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

    /// The safety net: with nothing on its way, or a reader kept waiting, asks whoever owes us least
    /// of those who kept their word and were heard lately.
    pub(super) fn pull(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        let is_idle = fetch.in_flight.is_empty() && now.since(fetch.idle_since) >= PULL_AFTER;
        let starving = overdue(blob, now, self.config.reader_patience);
        if !is_idle && starving.is_none() {
            return;
        }
        let mut sources: Vec<(u8, bool, usize, u32, NodeId)> = blob
            .sessions
            .iter()
            .filter(|(_, session)| session.may_ask(now))
            .filter(|(_, session)| {
                let border = blob.border(now, &self.config.me, session);
                match starving {
                    Some(piece) => session.can_give(piece) && border.lets_in(piece),
                    None => session.pieces.as_ref().is_some_and(|theirs| {
                        blob.open_pieces(theirs)
                            .any(|piece| !session.wants.contains_key(&piece) && border.lets_in(piece))
                    }),
                }
            })
            .map(|(node, session)| (session.failures, self.is_quiet(now, node), self.owed_by(node), 0, *node))
            .collect();
        sources.iter_mut().for_each(|source| source.3 = self.rng.u32(..));
        let Some((.., node)) = sources.into_iter().min() else { return };
        let choice = self.blobs.get(digest).and_then(|blob| {
            let session = blob.sessions.get(&node)?;
            let border = blob.border(now, &self.config.me, session);
            pick(blob, session, &border, now, self.config.reader_patience, &mut self.rng)
        });
        if let Some(piece) = choice {
            self.want(now, digest, node, piece);
        }
    }

    /// A neighbour that says nothing may be gone without a word.
    fn is_quiet(&self, now: Timestamp, node: &NodeId) -> bool {
        self.neighbours.get(node).is_none_or(|neighbour| now.since(neighbour.last_heard) >= QUIET_AFTER)
    }

    /// A neighbour has no slot for what we wanted.
    pub(super) fn on_busy(&mut self, now: Timestamp, from: NodeId, digest: &Digest, pieces: &[PieceIndex]) {
        pieces.iter().for_each(|piece| self.release(now, digest, &from, *piece));
        if let Some(session) = self.session_mut(digest, &from) {
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
        pieces.iter().for_each(|piece| self.release(now, digest, &from, *piece));
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        if lacks {
            pieces.iter().for_each(|piece| blob.neighbour_lacks(&from, *piece));
        } else if let Some(session) = blob.sessions.get_mut(&from) {
            session.want_after = now + FAILED_PAUSE;
        }
        self.pull(now, digest);
    }

    /// Gives up on neighbours that owe pieces and sent no byte for too long.
    pub(super) fn expire_wants(&mut self, now: Timestamp) {
        let patience = self.config.piece_timeout + self.piece_time * 2;
        let mut silent = Vec::new();
        for (digest, blob) in &self.blobs {
            for (node, session) in blob.sessions.iter() {
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

    /// Lets pieces that take far longer than others be asked of somebody else too: their senders may be slow, gone, or
    /// drip bytes for ever, and whoever delivers first is as good. No more at a time than there are slots.
    pub(super) fn double_slow(&mut self, now: Timestamp, digest: &Digest) {
        let (slow_after, slots) = (self.slow_after(self.piece_time), self.slots());
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let Some(fetch) = &mut blob.fetch else { return };
        let wants = || {
            blob.sessions
                .iter()
                .flat_map(|(node, session)| session.wants.iter().map(move |want| (node, want)))
        };
        let slow = wants().filter(|(node, (piece, asked_at))| {
            now.since(**asked_at) >= slow_after && fetch.in_flight.get(*piece) == Some(*node)
        });
        let mut slow: Vec<PieceIndex> = slow.map(|(_, (piece, _))| *piece).collect();
        if slow.is_empty() {
            return;
        }
        slow.truncate((slots + fetch.in_flight.len()).saturating_sub(wants().count()));
        for piece in slow {
            fetch.landed(piece, now);
        }
    }

    /// Takes back what was asked of a neighbour and leaves it alone for a while.
    pub(super) fn avoid(&mut self, now: Timestamp, digest: &Digest, node: &NodeId) {
        let until = now + self.config.avoid;
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let channel = blob.channel;
        let Some(session) = blob.sessions.get_mut(node) else { return };
        session.avoid_until = until;
        session.failures = session.failures.saturating_add(1);
        let pieces: Vec<PieceIndex> = session.wants.keys().copied().collect();
        pieces.iter().for_each(|piece| self.release(now, digest, node, *piece));
        if !pieces.is_empty() {
            self.send(*node, Message::Cancel { channel, pieces });
        }
    }

    /// Lets a piece be asked of others again.
    fn release(&mut self, now: Timestamp, digest: &Digest, from: &NodeId, piece: PieceIndex) {
        if !self.drop_want(digest, from, piece) {
            return;
        }
        if let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut())
            && fetch.in_flight.get(&piece) == Some(from)
        {
            fetch.landed(piece, now);
        }
    }

    /// Forgets a want; the piece may still come.
    pub(super) fn drop_want(&mut self, digest: &Digest, from: &NodeId, piece: PieceIndex) -> bool {
        let Some(session) = self.session_mut(digest, from) else { return false };
        let (was_wanted, channel) = (session.wants.remove(&piece).is_some(), session.their_channel);
        if was_wanted && let (Some(neighbour), Some(channel)) = (self.neighbours.get_mut(from), channel) {
            neighbour.expect_late(channel, piece);
        }
        was_wanted
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
    border: &Border,
    now: Timestamp,
    patience: Duration,
    rng: &mut fastrand::Rng,
) -> Option<PieceIndex> {
    let can_give = |piece: &PieceIndex| session.can_give(*piece) && border.lets_in(*piece);
    if let Some(piece) = overdue(blob, now, patience).filter(can_give) {
        return Some(piece);
    }
    let theirs = session.pieces.as_ref()?;
    let (mut best, mut best_copies, mut ties) = (None, u16::MAX, 0u32);
    for piece in blob.open_pieces(theirs).filter(|piece| !session.wants.contains_key(piece)) {
        let copies = blob.copies[piece as usize];
        if best.is_some() && copies > best_copies || !border.lets_in(piece) {
            continue;
        }
        if copies < best_copies || best.is_none() {
            (best, best_copies, ties) = (Some(piece), copies, 1);
        } else {
            ties += 1;
            if rng.u32(..ties) == 0 {
                best = Some(piece);
            }
        }
    }
    best
}
