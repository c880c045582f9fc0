//! The exchange: which piece goes from whom to whom, and when.
//!
//! One [`Exchange`] serves a whole node, all its blobs and neighbours, since they share the node's link. It follows
//! one policy: a sender with a free slot *offers*, and the receiver chooses the piece, the rarest that it lacks.
//! Pulling is the safety net. `docs/protocol.md` has the rules as a neighbour sees them.
//!
//! - `download` chooses pieces, answers offers and gives up on silent neighbours;
//! - `receive` takes pieces that arrive;
//! - `announce` tells neighbours what is here;
//! - `upload` keeps the slots busy with offers and answers wants;
//! - `chains` spreads piece chains and judges them;
//! - `ladder` finds neighbours, turns to seeds and, at the end, gives up;
//! - `inbox` applies a neighbour's messages;
//! - `zones` lets few pieces come from far away;
//! - `leave` ends sessions.

mod action;
mod announce;
mod blob;
mod chains;
mod config;
mod download;
mod inbox;
mod keepalive;
mod ladder;
mod leave;
mod members;
mod neighbour;
mod receive;
mod session;
mod sessions;
mod upload;
mod zones;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use blob::{Blob, Fetch};
use neighbour::Neighbour;
use session::Session;

pub use action::{Action, Arrival, Fault, FetchError, PieceOutcome, Refused};
pub use blob::ReaderId;
pub use config::ExchangeConfig;
pub use members::{Distance, Group, Members};

use crate::{
    bitfield::Bitfield,
    chain::Chain,
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    membership::ClusterKey,
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

/// How often a node with something under way looks after its timers.
const TICK: Duration = Duration::from_millis(25);
/// A transfer is slow when it takes so many times as long as others: a neighbour on a link of a quarter of the rate is
/// not.
const SLOW_FACTOR: u32 = 6;
/// How often a node that only holds blobs does.
const IDLE_TICK: Duration = Duration::from_secs(5);

/// A node's part in all swarms.
#[derive(Debug)]
pub struct Exchange {
    config: ExchangeConfig,
    cluster: ClusterKey,
    rng: fastrand::Rng,
    next_channel: u32,
    blobs: BTreeMap<Digest, Blob>,
    neighbours: BTreeMap<NodeId, Neighbour>,
    /// Pieces on their way out, and since when.
    uploads: BTreeMap<(NodeId, Digest, PieceIndex), Timestamp>,
    /// The upload that somebody last asked for without an offer.
    last_pulled: Option<(NodeId, Digest, PieceIndex)>,
    /// Offers that are not answered yet: each holds a slot.
    offers: BTreeMap<(NodeId, Digest), Offered>,
    /// Smoothed time from a want to its piece.
    piece_time: Duration,
    /// Smoothed time that a piece takes to leave.
    upload_time: Duration,
    /// Smoothed time from an offer to its answer.
    answer_time: Duration,
    actions: VecDeque<Action>,
    wake: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Offered {
    piece: Option<PieceIndex>,
    since: Timestamp,
}

impl Exchange {
    /// A node that takes part in nothing yet. `cluster` tells which authors of chains are seeds.
    pub fn new(config: ExchangeConfig, cluster: ClusterKey) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(config.random_seed),
            config,
            cluster,
            next_channel: 0,
            blobs: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            uploads: BTreeMap::new(),
            last_pulled: None,
            offers: BTreeMap::new(),
            piece_time: Duration::ZERO,
            upload_time: Duration::ZERO,
            answer_time: Duration::ZERO,
            actions: VecDeque::new(),
            wake: None,
        }
    }

    /// Starts to fetch a blob; `members` says who could have it. Renews the members when it is being fetched already.
    pub fn handle_fetch(&mut self, now: Timestamp, digest: Digest, source: ImageName, members: Members) {
        if self.blobs.contains_key(&digest) {
            return self.handle_members(now, &digest, members);
        }
        if self.blobs.values().filter(|blob| !blob.is_complete()).count() >= self.config.fetches {
            self.answer_waiting(&digest, CloseReason::Full);
            return self.push(Action::Failed { digest, reason: FetchError::TooMany });
        }
        let channel = self.new_channel();
        self.blobs.insert(digest, Blob::fetching(channel, Fetch::new(source, members, now)));
        self.welcome_waiting(now, &digest);
        self.climb(now, &digest);
        self.wake_at(now + TICK);
    }

    /// Tells who takes part in a blob now. Called when the inventory changes, and at intervals.
    pub fn handle_members(&mut self, now: Timestamp, digest: &Digest, members: Members) {
        if let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) {
            fetch.members = members;
            self.climb(now, digest);
        }
    }

    /// Pieces of a blob being fetched that were verified again after a restart, and the chain they fit.
    pub fn handle_resumed(&mut self, now: Timestamp, digest: &Digest, chain: Chain, pieces: &Bitfield) {
        let from_seed = self.is_seed_author(&chain);
        let Some(blob) = self.blobs.get_mut(digest).filter(|blob| blob.chain.is_none()) else { return };
        if pieces.len() != chain.geometry().piece_count() {
            return;
        }
        let verifiable = chain.verifiable_pieces();
        blob.adopt(chain, from_seed, false);
        pieces.iter().take_while(|piece| *piece < verifiable).for_each(|piece| {
            blob.have.set(piece);
        });
        self.introduce_everyone(now, digest);
        self.finish_if_whole(now, digest);
    }

    /// Serves a complete blob from now on.
    pub fn handle_hold(&mut self, now: Timestamp, digest: Digest, chain: Chain) {
        if self.blobs.contains_key(&digest) || !chain.is_whole() {
            return;
        }
        let mut blob = Blob::complete(self.new_channel(), chain, now);
        blob.unsent = self.config.is_seed.then(|| blob.have.clone());
        self.blobs.insert(digest, blob);
        self.welcome_waiting(now, &digest);
        self.fill_slots(now);
        self.wake_at(now + TICK);
    }

    /// Answers a `Lookup`: the blob is not here and won't be.
    pub fn handle_absent(&mut self, digest: &Digest, reason: CloseReason) {
        self.answer_waiting(digest, reason);
    }

    /// Stops serving a blob, because the store gave it up.
    pub fn handle_forget(&mut self, digest: &Digest) {
        self.close_blob(Timestamp::ZERO, digest, CloseReason::NotHere);
    }

    /// The node stops: says goodbye on every channel.
    pub fn handle_leave(&mut self) {
        let digests: Vec<Digest> = self.blobs.keys().copied().collect();
        digests.iter().for_each(|digest| self.close_blob(Timestamp::ZERO, digest, CloseReason::Leaving));
    }

    /// A reader on this node waits for `next`, or is done (`None`).
    pub fn handle_reader(
        &mut self,
        now: Timestamp,
        digest: &Digest,
        reader: ReaderId,
        next: Option<PieceIndex>,
    ) {
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        match next {
            Some(next) if fetch.readers.get(&reader).is_some_and(|known| known.next == next) => {}
            Some(next) => {
                fetch.readers.insert(reader, blob::Reader { next, since: now });
            }
            None => {
                fetch.readers.remove(&reader);
            }
        }
    }

    /// A control stream to that node is open.
    pub fn handle_connected(&mut self, _now: Timestamp, node: NodeId, distance: Distance) {
        self.neighbours.entry(node).or_default().distance = distance;
        let wanting: Vec<Digest> = self
            .blobs
            .iter()
            .filter(|(_, blob)| ladder::wants_neighbour(blob, &node))
            .map(|(digest, _)| *digest)
            .collect();
        for digest in wanting {
            self.open_session(&digest, node);
        }
    }

    /// That node can't be connected to now.
    pub fn handle_connect_failed(&mut self, now: Timestamp, node: NodeId) {
        if self.neighbours.contains_key(&node) {
            return;
        }
        self.mark_unreachable(now, node);
    }

    /// The control stream to that node broke: what it owed is asked of others.
    pub fn handle_disconnected(&mut self, now: Timestamp, node: NodeId) {
        self.neighbours.remove(&node);
        let digests: Vec<Digest> = self
            .blobs
            .iter()
            .filter(|(_, blob)| blob.sessions.contains(&node))
            .map(|(digest, _)| *digest)
            .collect();
        for digest in digests {
            self.drop_session(now, &digest, &node);
        }
        self.mark_unreachable(now, node);
        self.fill_slots(now);
    }

    /// Looks after timers. Call it when [`Self::poll_timeout`] says so; calling it early does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.wake = None;
        self.expire_offers(now);
        self.expire_wants(now);
        let digests: Vec<Digest> = self.blobs.keys().copied().collect();
        for digest in &digests {
            self.keep_alive(now, digest);
            self.climb(now, digest);
            self.double_slow(now, digest);
            self.pull(now, digest);
            self.flush_haves(now, digest);
        }
        self.forget_idle(now);
        self.fill_slots(now);
        if self.blobs.values().any(|blob| !blob.is_complete()) || !self.offers.is_empty() {
            self.wake_at(now + TICK);
        } else if !self.blobs.is_empty() {
            self.wake_at(now + IDLE_TICK);
        }
        if let Some(next) = self.next_offer(now) {
            self.wake_at(next);
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::handle_timeout`] is due; `None` while nothing is under way.
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.wake
    }

    /// The chain by which a blob is verified, as far as it is known.
    pub fn chain(&self, digest: &Digest) -> Option<&Chain> {
        self.blobs.get(digest)?.chain.as_ref()
    }

    /// The verified pieces of a blob.
    pub fn pieces(&self, digest: &Digest) -> Option<&Bitfield> {
        self.blobs.get(digest).map(|blob| &blob.have)
    }

    /// True when verified bytes may go to a runtime already: the chain is a seed's, or it closed.
    pub fn is_streamable(&self, digest: &Digest) -> bool {
        self.blobs.get(digest).is_some_and(|blob| blob.is_complete() || blob.chain_from_seed)
    }

    /// The blobs that are being fetched.
    pub fn fetching(&self) -> impl Iterator<Item = (&Digest, &ImageName)> {
        self.blobs.iter().filter_map(|(digest, blob)| Some((digest, &blob.fetch.as_ref()?.source)))
    }

    fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.push(Action::Send { to, message });
    }

    fn strike(&mut self, node: NodeId, fault: Fault) {
        self.push(Action::Strike { node, fault });
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn new_channel(&mut self) -> Channel {
        self.next_channel += 1;
        Channel(self.next_channel)
    }

    /// Slots in each direction, by the pieces of what is being moved.
    fn slots(&self) -> usize {
        if let Some(slots) = self.config.slots {
            return slots;
        }
        let active = self.blobs.values().filter(|blob| !blob.is_complete() || !blob.sessions.is_empty());
        config::slots_for(active.map(|blob| blob.have.len()).max().unwrap_or(1))
    }

    /// Transfers that may be under way or agreed on, when one takes `transfer_time` by itself.
    fn agreed_limit(&self, transfer_time: Duration) -> usize {
        self.spanned(transfer_time) + self.config.ahead.unwrap_or(self.slots() / 2)
    }

    /// Transfers that fill the slots although offers, wants and the first bytes take their time to travel, when one
    /// takes `transfer_time` by itself.
    fn spanned(&self, transfer_time: Duration) -> usize {
        let slots = self.slots();
        if transfer_time.is_zero() {
            return slots;
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let travelling =
            (slots as u64).saturating_mul(micros(self.answer_time)) / micros(transfer_time).max(1);
        slots + usize::try_from(travelling).unwrap_or(slots).min(slots)
    }

    /// After how long a transfer is slower than the link and its sharing explain, when others take `usual_time`: not
    /// soon while none has ended yet.
    fn slow_after(&self, usual_time: Duration) -> Duration {
        if usual_time.is_zero() {
            return self.config.offer_timeout;
        }
        self.config.slow_after.max(usual_time * SLOW_FACTOR)
    }

    fn distance(&self, node: &NodeId) -> Distance {
        self.neighbours.get(node).map_or(Distance::Near, |neighbour| neighbour.distance)
    }

    fn session_mut(&mut self, digest: &Digest, node: &NodeId) -> Option<&mut Session> {
        self.blobs.get_mut(digest)?.sessions.get_mut(node)
    }
}

/// Moves a smoothed time towards a sample: by an eighth, as TCP smooths round trips (RFC 6298), or to the first one.
fn smooth(time: &mut Duration, sample: Duration) {
    *time = if time.is_zero() { sample } else { (*time * 7 + sample) / 8 };
}
