//! What this node knows of one blob.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use super::{Distance, members::Members, session::Session, sessions::Sessions};
use crate::{
    bitfield::Bitfield,
    chain::Chain,
    geometry::PieceIndex,
    identity::NodeId,
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, CloseReason},
};

/// Names a reader of a blob on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId(pub u64);

/// A blob that is fetched or served.
#[derive(Debug)]
pub(super) struct Blob {
    /// Our number for it, on every control stream and lane.
    pub(super) channel: Channel,
    pub(super) chain: Option<Chain>,
    /// The chain's author is a seed: bytes may go to a runtime before the chain closes.
    pub(super) chain_from_seed: bool,
    /// Verified pieces.
    pub(super) have: Bitfield,
    pub(super) sessions: Sessions,
    /// Neighbours that have each piece.
    pub(super) copies: Vec<u16>,
    /// On a seed: pieces that no neighbour has been sent or is known to have.
    pub(super) unsent: Option<Bitfield>,
    /// What is left to do; `None` once the blob is complete.
    pub(super) fetch: Option<Fetch>,
    pub(super) last_used: Timestamp,
}

/// The state of a blob that is not complete yet.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) source: ImageName,
    pub(super) members: Members,
    /// Seeds that were asked, and what they answered if they gave up.
    pub(super) asked: BTreeMap<NodeId, Option<CloseReason>>,
    pub(super) last_asked: Timestamp,
    /// Nodes that are being connected to.
    pub(super) connecting: BTreeSet<NodeId>,
    /// Nodes that could not be reached or closed the blob, and when they may be tried again.
    pub(super) retry_after: BTreeMap<NodeId, Timestamp>,
    pub(super) started: Timestamp,
    /// When something last said that waiting is worth it: a piece, bytes of one, a link, a seed's word.
    pub(super) last_progress: Timestamp,
    pub(super) last_piece: Timestamp,
    /// Pieces that were let in and whose check is not done. They end with the chain that they are checked by.
    pub(super) arriving: BTreeSet<(NodeId, PieceIndex)>,
    /// Who was asked for each piece that is on its way or being verified.
    pub(super) in_flight: BTreeMap<PieceIndex, NodeId>,
    /// Since when nothing is on its way.
    pub(super) idle_since: Timestamp,
    pub(super) readers: BTreeMap<ReaderId, Reader>,
    /// Who sent a piece that did not fit the chain.
    pub(super) corrupt: BTreeSet<NodeId>,
    /// Authors whose chains proved false.
    pub(super) blamed: BTreeSet<NodeId>,
    /// Seeds that closed the blob over a false chain, and were asked again.
    pub(super) restarted: BTreeSet<NodeId>,
    /// This node is pulling it from the origin.
    pub(super) authoring: bool,
    pub(super) last_keepalive: Timestamp,
    /// When a seed last said that the origin is at work.
    pub(super) seed_heard: Timestamp,
    /// A neighbour knows some of the chain: a seed waits for it until then, to go on where another left off.
    pub(super) chain_expected_until: Timestamp,
}

/// A runtime that waits for a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) next: PieceIndex,
    pub(super) since: Timestamp,
}

impl Blob {
    pub(super) fn fetching(channel: Channel, fetch: Fetch) -> Self {
        Self {
            channel,
            chain: None,
            chain_from_seed: false,
            have: Bitfield::empty(0),
            sessions: Sessions::default(),
            copies: Vec::new(),
            unsent: None,
            last_used: fetch.started,
            fetch: Some(fetch),
        }
    }

    pub(super) fn complete(channel: Channel, chain: Chain, now: Timestamp) -> Self {
        let count = chain.geometry().piece_count();
        Self {
            channel,
            chain: Some(chain),
            chain_from_seed: true,
            have: Bitfield::full(count),
            sessions: Sessions::default(),
            copies: vec![0; count as usize],
            unsent: None,
            fetch: None,
            last_used: now,
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.fetch.is_none()
    }

    /// Leading pieces that the chain known so far can verify.
    pub(super) fn verifiable_pieces(&self) -> u32 {
        self.chain.as_ref().map_or(0, Chain::verifiable_pieces)
    }

    pub(super) fn known_links(&self) -> u32 {
        self.chain.as_ref().map_or(0, Chain::known_links)
    }

    /// Takes a chain as the one to verify by; pieces verified before stay only if `keep_pieces`.
    pub(super) fn adopt(&mut self, chain: Chain, from_seed: bool, keep_pieces: bool) {
        let count = chain.geometry().piece_count();
        self.chain = Some(chain);
        self.chain_from_seed = from_seed;
        if keep_pieces {
            return;
        }
        self.have = Bitfield::empty(count);
        self.copies = vec![0; count as usize];
        for session in self.sessions.values_mut() {
            session.pieces = Some(Bitfield::empty(count));
            session.unannounced.clear();
            session.bitfield_sent = false;
        }
    }

    /// Notes that a neighbour has a piece; false when the blob has no such piece.
    pub(super) fn neighbour_has(&mut self, node: &NodeId, piece: PieceIndex) -> bool {
        if piece >= self.have.len() {
            return false;
        }
        if let Some(pieces) = self.sessions.get_mut(node).and_then(|session| session.pieces.as_mut())
            && pieces.set(piece)
        {
            self.copies[piece as usize] = self.copies[piece as usize].saturating_add(1);
        }
        if let Some(unsent) = &mut self.unsent {
            unsent.clear(piece);
        }
        true
    }

    /// Notes that a neighbour does not have a piece after all.
    pub(super) fn neighbour_lacks(&mut self, node: &NodeId, piece: PieceIndex) {
        if let Some(pieces) = self.sessions.get_mut(node).and_then(|session| session.pieces.as_mut())
            && pieces.clear(piece)
        {
            self.copies[piece as usize] = self.copies[piece as usize].saturating_sub(1);
        }
    }

    /// Takes a neighbour out of the blob; the pieces it owed can be asked of others.
    pub(super) fn remove_session(&mut self, node: &NodeId, now: Timestamp) -> Option<Session> {
        let session = self.sessions.remove(node)?;
        for piece in session.pieces.iter().flat_map(Bitfield::iter) {
            self.copies[piece as usize] = self.copies[piece as usize].saturating_sub(1);
        }
        if let Some(fetch) = &mut self.fetch {
            let owed = session.wants.keys().filter(|piece| fetch.in_flight.get(*piece) == Some(node));
            owed.copied().collect::<Vec<_>>().into_iter().for_each(|piece| {
                fetch.landed(piece, now);
            });
        }
        Some(session)
    }

    /// True when this node needs the piece, can verify it, and has not asked anybody for it.
    pub(super) fn needs(&self, piece: PieceIndex) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| !fetch.in_flight.contains_key(&piece))
            && piece < self.verifiable_pieces()
            && !self.have.has(piece)
    }

    /// The pieces of `theirs` that this node needs, in order: a merge, since every offer asks for them all.
    pub(super) fn open_pieces<'a>(&'a self, theirs: &'a Bitfield) -> impl Iterator<Item = PieceIndex> + 'a {
        let verifiable = self.verifiable_pieces();
        let fetch = self.fetch.as_ref();
        let mut asked = fetch.into_iter().flat_map(|fetch| fetch.in_flight.keys().copied()).peekable();
        let candidates = theirs.minus(&self.have).take_while(move |piece| *piece < verifiable);
        candidates.filter(move |piece| {
            while asked.next_if(|asked| asked < piece).is_some() {}
            fetch.is_some() && asked.peek() != Some(piece)
        })
    }

    /// True when the neighbour is believed to have something that is missing here.
    pub(super) fn lacks_any_of(&self, session: &Session) -> bool {
        session.pieces.as_ref().is_some_and(|theirs| theirs.has_more_than(&self.have))
    }

    /// True when the neighbour is believed to lack something that we have.
    pub(super) fn can_help(&self, session: &Session) -> bool {
        let Some(theirs) = &session.pieces else { return false };
        if self.is_complete() { !theirs.is_full() } else { self.have.has_more_than(theirs) }
    }

    /// Verifiable pieces that are missing here.
    pub(super) fn missing(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        (0..self.verifiable_pieces()).filter(|piece| !self.have.has(*piece))
    }

    /// The session with a neighbour; one that begins knows how many pieces there are.
    pub(super) fn session_with(&mut self, node: NodeId, distance: Distance) -> &mut Session {
        let count = self.chain.is_some().then(|| self.have.len());
        let is_distrusted = self.fetch.as_ref().is_some_and(|fetch| fetch.corrupt.contains(&node));
        let session = self.sessions.get_or_begin(node);
        session.distance = distance;
        session.distrusted |= is_distrusted;
        if session.pieces.is_none() {
            session.pieces = count.map(Bitfield::empty);
        }
        session
    }
}

impl Fetch {
    pub(super) fn new(source: ImageName, members: Members, now: Timestamp) -> Self {
        Self {
            source,
            members,
            asked: BTreeMap::new(),
            last_asked: now,
            connecting: BTreeSet::new(),
            retry_after: BTreeMap::new(),
            started: now,
            last_progress: now,
            last_piece: now,
            arriving: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            idle_since: now,
            readers: BTreeMap::new(),
            corrupt: BTreeSet::new(),
            blamed: BTreeSet::new(),
            restarted: BTreeSet::new(),
            authoring: false,
            last_keepalive: now,
            seed_heard: Timestamp::ZERO,
            chain_expected_until: Timestamp::ZERO,
        }
    }

    /// A piece is no longer on its way; true when it was.
    pub(super) fn landed(&mut self, piece: PieceIndex, now: Timestamp) -> bool {
        let was_flying = self.in_flight.remove(&piece).is_some();
        if was_flying && self.in_flight.is_empty() {
            self.idle_since = now;
        }
        was_flying
    }

    /// True when the node can be tried now.
    pub(super) fn is_reachable(&self, node: &NodeId, now: Timestamp) -> bool {
        self.retry_after.get(node).is_none_or(|until| now >= *until)
    }
}
