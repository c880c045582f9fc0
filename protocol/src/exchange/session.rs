//! What this node knows of one neighbour's part in one blob.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::Distance;
use crate::{bitfield::Bitfield, geometry::PieceIndex, time::Timestamp, wire::Channel};

/// Shortest pause after a neighbour declined an offer.
const SHORTEST_PAUSE: Duration = Duration::from_micros(200);
/// Longest pause between offers to a neighbour that keeps declining.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A neighbour and a blob.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) distance: Distance,
    /// The neighbour's number for the blob, once it said hello.
    pub(super) their_channel: Option<Channel>,
    /// We said hello.
    pub(super) hello_sent: bool,
    /// Links of our chain that the neighbour was sent or has sent us; `None` when it may not know even the geometry.
    /// What its hello claims does not count: that may be another chain.
    pub(super) their_links: Option<u32>,
    /// Pieces that the neighbour has; empty while the geometry is unknown.
    pub(super) pieces: Option<Bitfield>,
    /// Whether the neighbour was told what we had at the start.
    pub(super) bitfield_sent: bool,
    /// Pieces of ours that the neighbour has not been told of.
    pub(super) unannounced: Vec<PieceIndex>,
    /// When the neighbour was last told.
    pub(super) last_have: Timestamp,
    /// Pieces that we asked for, and when.
    pub(super) wants: BTreeMap<PieceIndex, Timestamp>,
    /// No offers to it before this.
    pub(super) offer_after: Timestamp,
    pause: Option<Duration>,
    /// It was busy: no wants to it before this, unless it offers.
    pub(super) want_after: Timestamp,
    /// Times in a row that it did not send what it was asked for.
    pub(super) failures: u8,
    /// It failed us: no wants to it before this, whatever it offers.
    pub(super) avoid_until: Timestamp,
    /// It sent a piece that did not fit the chain: nothing more is asked of it for this blob.
    pub(super) distrusted: bool,
}

impl Session {
    /// True once both sides have said hello.
    pub(super) const fn is_open(&self) -> bool {
        self.their_channel.is_some()
    }

    pub(super) fn has(&self, piece: PieceIndex) -> bool {
        self.pieces.as_ref().is_some_and(|pieces| pieces.has(piece))
    }

    /// True when it has a piece that it was not asked for yet.
    pub(super) fn can_give(&self, piece: PieceIndex) -> bool {
        self.has(piece) && !self.wants.contains_key(&piece)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.pieces.as_ref().is_some_and(Bitfield::is_full)
    }

    /// Pieces that the neighbour is believed to have.
    pub(super) fn count(&self) -> u32 {
        self.pieces.as_ref().map_or(0, Bitfield::count)
    }

    /// True when what the neighbour offers may be accepted.
    pub(super) fn may_accept(&self, now: Timestamp) -> bool {
        self.is_open() && !self.distrusted && now >= self.avoid_until
    }

    /// True when the neighbour may be asked for pieces now.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        self.may_accept(now) && now >= self.want_after
    }

    /// Leaves the neighbour alone after it declined an offer: for as long as it takes on average until one of its
    /// slots is free (`turn_time`) give or take a quarter, and twice as long each time until a few have been. Longer
    /// pauses leave slots empty here, and cost 5 % of the time that a flash crowd takes.
    pub(super) fn declined(&mut self, now: Timestamp, turn_time: Duration, rng: &mut fastrand::Rng) {
        let base = self.pause.unwrap_or(turn_time).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let jittered = base.mul_f64(0.75 + rng.f64() / 2.0);
        self.offer_after = now + jittered;
        self.pause = Some((base * 2).min(turn_time * 4));
    }

    /// The neighbour took a piece: it is offered the next without a pause.
    pub(super) fn accepted(&mut self) {
        self.pause = None;
        self.offer_after = Timestamp::ZERO;
    }
}
