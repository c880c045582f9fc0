//! A cluster in virtual time: real exchange machines, and links that take as long as their rate says.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
    time::Duration,
};

use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::{Algorithm, Digest},
    exchange::{Action, Exchange, ExchangeConfig, Fault, FetchError, Members, PieceOutcome},
    geometry::{Geometry, PieceIndex},
    identity::{NodeId, NodeKey},
    membership::{ClusterKey, Role},
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

/// What can be set about a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) random_seed: u64,
    pub(crate) peers: usize,
    pub(crate) seeds: usize,
    pub(crate) blob_bytes: u64,
    pub(crate) link_bytes_per_s: u64,
    pub(crate) delay: Duration,
    /// Bytes a second that the origin sends.
    pub(crate) origin_bytes_per_s: u64,
    /// The first seed has the blob already.
    pub(crate) is_warm: bool,
    /// This many of the peers send garbage.
    pub(crate) liars: usize,
    /// One in this many pieces is lost on its way.
    pub(crate) lost_one_in: Option<u32>,
    /// Nodes that die silently or loudly, and when.
    pub(crate) deaths: Vec<(usize, Duration)>,
    /// The origin answers that there is no such blob.
    pub(crate) origin_refuses: Option<CloseReason>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            random_seed: 1,
            peers: 8,
            seeds: 1,
            blob_bytes: 64 * 64 * 1024,
            link_bytes_per_s: 12_500_000,
            delay: Duration::from_micros(200),
            origin_bytes_per_s: 12_500_000,
            is_warm: false,
            liars: 0,
            lost_one_in: None,
            deaths: Vec::new(),
            origin_refuses: None,
        }
    }
}

#[derive(Debug)]
enum Event {
    Start,
    Connected { to: NodeId, with: NodeId },
    ConnectFailed { to: NodeId, with: NodeId },
    Disconnected { to: NodeId, with: NodeId },
    Deliver { from: NodeId, to: NodeId, message: Message },
    PieceSent { from: NodeId, to: NodeId, piece: PieceIndex, is_lost: bool },
    PieceArrived { from: NodeId, to: NodeId, channel: Channel, piece: PieceIndex, bytes: Arc<Vec<u8>> },
    Authored { node: NodeId, piece: PieceIndex, is_last: bool },
    AuthorEnded { node: NodeId, result: Result<(), CloseReason> },
    Tick { node: NodeId },
    Death { node: NodeId },
}

struct Node {
    exchange: Exchange,
    key: NodeKey,
    is_liar: bool,
    is_alive: bool,
    builder: Option<ChainBuilder>,
    uplink_free: Timestamp,
    downlink_free: Timestamp,
    next_tick: Option<Timestamp>,
    stored: BTreeSet<PieceIndex>,
    received: u64,
}

/// What came out of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) completed: BTreeMap<NodeId, Timestamp>,
    pub(crate) failed: BTreeMap<NodeId, FetchError>,
    pub(crate) strikes: Vec<(NodeId, Fault)>,
    pub(crate) pulls: usize,
    pub(crate) origin_bytes: u64,
    pub(crate) duplicate_pieces: u64,
    pub(crate) messages: u64,
}

pub(crate) struct World {
    setup: Setup,
    rng: fastrand::Rng,
    cluster: ClusterKey,
    blob: Arc<Vec<u8>>,
    digest: Digest,
    geometry: Geometry,
    nodes: BTreeMap<NodeId, Node>,
    order: Vec<NodeId>,
    links: BTreeSet<(NodeId, NodeId)>,
    events: BinaryHeap<Reverse<(Timestamp, u64)>>,
    payloads: BTreeMap<u64, Event>,
    sequence: u64,
    now: Timestamp,
    pub(crate) outcome: Outcome,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut rng = fastrand::Rng::with_seed(setup.random_seed);
        let blob: Vec<u8> = (0..setup.blob_bytes).map(|_| rng.u8(..)).collect();
        let digest = Digest::of(Algorithm::Sha256, &blob);
        let geometry = Geometry::for_blob(setup.blob_bytes).expect("a small blob");
        let mut world = Self {
            cluster: ClusterKey::from_root([7; 32]),
            digest,
            geometry,
            blob: Arc::new(blob),
            nodes: BTreeMap::new(),
            order: Vec::new(),
            links: BTreeSet::new(),
            events: BinaryHeap::new(),
            payloads: BTreeMap::new(),
            sequence: 0,
            now: Timestamp::ZERO,
            outcome: Outcome::default(),
            rng,
            setup,
        };
        world.populate();
        world
    }

    /// Seeds come first, then honest peers, then liars.
    fn populate(&mut self) {
        let total = self.setup.seeds + self.setup.peers;
        for index in 0..total {
            let key =
                NodeKey::from_secret(self.rng.u128(..).to_be_bytes().repeat(2).try_into().expect("32 bytes"));
            let is_seed = index < self.setup.seeds;
            let config = ExchangeConfig::new(key.node_id(), is_seed, self.rng.u64(..));
            let node = Node {
                exchange: Exchange::new(config, self.cluster.clone()),
                is_liar: index >= total - self.setup.liars,
                is_alive: true,
                builder: None,
                uplink_free: Timestamp::ZERO,
                downlink_free: Timestamp::ZERO,
                next_tick: None,
                stored: BTreeSet::new(),
                received: 0,
                key,
            };
            self.order.push(node.key.node_id());
            self.nodes.insert(node.key.node_id(), node);
        }
    }

    pub(crate) fn node(&self, index: usize) -> NodeId {
        self.order[index]
    }

    /// Peers that are honest and never die.
    pub(crate) fn lasting_peers(&self) -> Vec<NodeId> {
        let honest = self.setup.seeds..self.order.len() - self.setup.liars;
        honest
            .filter(|index| !self.setup.deaths.iter().any(|(dead, _)| dead == index))
            .map(|index| self.order[index])
            .collect()
    }

    /// Completion of the last lasting peer over the discrete bound.
    pub(crate) fn last_over_bound(&self) -> f64 {
        let last =
            self.lasting_peers().iter().filter_map(|node| self.outcome.completed.get(node)).max().copied();
        let seconds = last.unwrap_or_default().since(Timestamp::ZERO).as_secs_f64();
        let fluid = self.setup.blob_bytes as f64 / self.setup.link_bytes_per_s as f64;
        let rounds = f64::from(self.setup.peers.ilog2()) / f64::from(self.geometry.piece_count());
        seconds / (fluid * (1.0 + rounds))
    }

    pub(crate) fn run(&mut self, limit: Duration) {
        self.at(Timestamp::ZERO, Event::Start);
        for (index, after) in self.setup.deaths.clone() {
            self.at(Timestamp::ZERO + after, Event::Death { node: self.order[index] });
        }
        while let Some(Reverse((now, sequence))) = self.events.pop() {
            if now > Timestamp::ZERO + limit {
                break;
            }
            self.now = now;
            let event = self.payloads.remove(&sequence).expect("every queued event has a payload");
            self.handle(event);
        }
    }

    fn at(&mut self, when: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((when, self.sequence)));
        self.payloads.insert(self.sequence, event);
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        let touched = match event {
            Event::Start => return self.start(),
            Event::Death { node } => return self.kill(node),
            Event::Connected { to, with } => self.with(to, |node| node.exchange.handle_connected(now, with)),
            Event::ConnectFailed { to, with } => {
                self.with(to, |node| node.exchange.handle_connect_failed(now, with))
            }
            Event::Disconnected { to, with } => {
                self.with(to, |node| node.exchange.handle_disconnected(now, with))
            }
            Event::Deliver { from, to, message } => {
                self.outcome.messages += 1;
                self.with(to, |node| node.exchange.handle_message(now, from, message))
            }
            Event::PieceSent { from, to, piece, is_lost } => {
                let digest = self.digest;
                self.with(from, |node| node.exchange.handle_uploaded(now, to, digest, piece, !is_lost))
            }
            Event::PieceArrived { from, to, channel, piece, bytes } => {
                self.arrive(from, to, channel, piece, &bytes)
            }
            Event::Authored { node, piece, is_last } => self.author(node, piece, is_last),
            Event::AuthorEnded { node, result } => {
                let digest = self.digest;
                self.with(node, |node| node.exchange.handle_pull_ended(now, &digest, result))
            }
            Event::Tick { node } => self.with(node, |node| {
                node.next_tick = None;
                node.exchange.handle_timeout(now);
            }),
        };
        if let Some(node) = touched {
            self.drain(node);
        }
    }

    fn with(&mut self, id: NodeId, act: impl FnOnce(&mut Node)) -> Option<NodeId> {
        let node = self.nodes.get_mut(&id).filter(|node| node.is_alive)?;
        act(node);
        Some(id)
    }

    fn start(&mut self) {
        if self.setup.is_warm {
            let chain = self.whole_chain(self.order[0]);
            let (digest, count) = (self.digest, self.geometry.piece_count());
            let first = self.order[0];
            self.with(first, |node| {
                node.stored.extend(0..count);
                node.exchange.handle_hold(Timestamp::ZERO, digest, chain);
            });
        }
        for node in self.order.clone().into_iter().skip(self.setup.seeds) {
            self.fetch(node);
        }
    }

    fn whole_chain(&self, author: NodeId) -> Chain {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        for piece in 0..self.geometry.piece_count() {
            builder.push(&self.piece(piece)).expect("the blob's own piece");
        }
        self.sign(author, &builder)
    }

    fn sign(&self, author: NodeId, builder: &ChainBuilder) -> Chain {
        let role = self.cluster.issue_role(&author, Role::Seed).expect("a full key");
        builder.sign(&self.nodes[&author].key, Some(role))
    }

    fn piece(&self, piece: PieceIndex) -> Vec<u8> {
        let range = self.geometry.range(piece);
        self.blob[range.start as usize..range.end as usize].to_vec()
    }

    fn members(&self) -> Members {
        let seeds =
            self.order[..self.setup.seeds].iter().filter(|id| self.nodes[id].is_alive).copied().collect();
        let holders = self.setup.is_warm.then(|| self.order[0]).into_iter().collect();
        let fetching =
            self.order[self.setup.seeds..].iter().filter(|id| self.nodes[id].is_alive).copied().collect();
        Members { seeds, holders, fetching }
    }

    fn fetch(&mut self, node: NodeId) {
        let (now, digest, members) = (self.now, self.digest, self.members());
        self.with(node, |node| node.exchange.handle_fetch(now, digest, image(), members));
        self.drain(node);
    }

    fn kill(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.is_alive = false;
        }
        let others: Vec<NodeId> =
            self.order.iter().filter(|other| self.linked(id, **other)).copied().collect();
        for other in others {
            self.links.remove(&pair(id, other));
            self.at(self.now + self.setup.delay, Event::Disconnected { to: other, with: id });
        }
        let (now, digest, members) = (self.now, self.digest, self.members());
        for node in self.order.clone() {
            self.with(node, |node| node.exchange.handle_members(now, &digest, members.clone()));
            self.drain(node);
        }
    }

    fn linked(&self, one: NodeId, other: NodeId) -> bool {
        self.links.contains(&pair(one, other))
    }

    fn arrive(
        &mut self,
        from: NodeId,
        to: NodeId,
        channel: Channel,
        piece: PieceIndex,
        bytes: &[u8],
    ) -> Option<NodeId> {
        let (now, truth) = (self.now, self.piece(piece));
        let mut duplicate = 0;
        let touched = self.with(to, |node| {
            node.received += bytes.len() as u64;
            let Ok(arrival) = node.exchange.handle_piece_start(now, from, channel, piece, bytes.len() as u32)
            else {
                return;
            };
            let is_good = arrival.check.verify(bytes);
            if is_good {
                assert_eq!(bytes, truth, "only the true piece verifies");
                duplicate = u64::from(!node.stored.insert(piece));
            }
            let outcome = if is_good { PieceOutcome::Stored } else { PieceOutcome::Corrupt };
            node.exchange.handle_piece(now, from, arrival.digest, piece, outcome);
        });
        self.outcome.duplicate_pieces += duplicate;
        touched
    }

    /// A piece came from the origin to a seed that pulls.
    fn author(&mut self, id: NodeId, piece: PieceIndex, is_last: bool) -> Option<NodeId> {
        let (now, digest, bytes) = (self.now, self.digest, self.piece(piece));
        let mut builder = self.nodes.get(&id).filter(|node| node.is_alive)?.builder.clone()?;
        self.outcome.origin_bytes += bytes.len() as u64;
        if builder.next_piece() == piece {
            builder.push(&bytes).expect("the blob's own piece");
        }
        let chain = self.sign(id, &builder);
        self.with(id, |node| {
            node.stored.insert(piece);
            node.builder = Some(builder);
            node.exchange.handle_author_chain(now, &digest, chain, &[piece]);
            if is_last {
                node.exchange.handle_pull_ended(now, &digest, Ok(()));
            }
        })
    }

    fn pull_from_origin(&mut self, id: NodeId, pieces: Option<Vec<PieceIndex>>) {
        self.outcome.pulls += 1;
        if let Some(reason) = self.setup.origin_refuses {
            return self
                .at(self.now + self.setup.delay, Event::AuthorEnded { node: id, result: Err(reason) });
        }
        let known = self.nodes[&id].exchange.chain(&self.digest).cloned();
        let builder = known
            .as_ref()
            .map_or_else(|| ChainBuilder::new(self.digest, self.geometry), ChainBuilder::resume);
        let pieces = pieces.unwrap_or_else(|| (builder.next_piece()..self.geometry.piece_count()).collect());
        let chain = self.sign(id, &builder);
        let (now, digest) = (self.now, self.digest);
        self.with(id, |node| {
            node.builder = Some(builder);
            node.exchange.handle_author_chain(now, &digest, chain, &[]);
        });
        let mut when = self.now;
        for (index, piece) in pieces.iter().enumerate() {
            when = when + transfer_time(u64::from(self.geometry.len(*piece)), self.setup.origin_bytes_per_s);
            self.at(when, Event::Authored { node: id, piece: *piece, is_last: index + 1 == pieces.len() });
        }
        if pieces.is_empty() {
            self.at(when, Event::AuthorEnded { node: id, result: Ok(()) });
        }
    }

    fn drain(&mut self, id: NodeId) {
        while let Some(action) = self.nodes.get_mut(&id).and_then(|node| node.exchange.poll_action()) {
            self.act(id, action);
        }
        let node = self.nodes.get_mut(&id).expect("a node of this world");
        if let Some(when) = node.exchange.poll_timeout()
            && node.next_tick.is_none_or(|next| when < next)
        {
            let when = when.max(self.now);
            node.next_tick = Some(when);
            self.at(when, Event::Tick { node: id });
        }
    }

    fn act(&mut self, id: NodeId, action: Action) {
        match action {
            Action::Connect { node } => self.connect(id, node),
            Action::Send { to, message } if self.linked(id, to) => {
                self.at(self.now + self.setup.delay, Event::Deliver { from: id, to, message });
            }
            Action::Upload { to, channel, piece, .. } => self.upload(id, to, channel, piece),
            Action::Lookup { digest, from, source } => self.look_up(id, digest, from, source),
            Action::Complete { .. } => {
                assert_eq!(self.nodes[&id].stored.len() as u32, self.geometry.piece_count());
                self.outcome.completed.insert(id, self.now);
            }
            Action::Failed { reason, .. } => {
                self.outcome.failed.insert(id, reason);
            }
            Action::Discard { .. } => self.nodes.get_mut(&id).expect("alive").stored.clear(),
            Action::Pull { .. } => self.pull_from_origin(id, None),
            Action::PullPieces { pieces, .. } => self.pull_from_origin(id, Some(pieces)),
            Action::Strike { node, fault } => self.outcome.strikes.push((node, fault)),
            Action::Send { .. } | Action::CancelUpload { .. } | Action::Begin { .. } => {}
        }
    }

    fn connect(&mut self, id: NodeId, node: NodeId) {
        let when = self.now + self.setup.delay * 2;
        if !self.nodes[&node].is_alive {
            return self.at(when, Event::ConnectFailed { to: id, with: node });
        }
        self.links.insert(pair(id, node));
        self.at(when, Event::Connected { to: node, with: id });
        self.at(when, Event::Connected { to: id, with: node });
    }

    fn look_up(&mut self, id: NodeId, digest: Digest, from: NodeId, source: Option<ImageName>) {
        let (now, mut members) = (self.now, self.members());
        let is_seed = self.order[..self.setup.seeds].contains(&id);
        let from_seed = self.order[..self.setup.seeds].contains(&from);
        if from_seed {
            members.seeds = vec![id];
        }
        self.with(id, |node| match source.filter(|_| is_seed) {
            Some(image) => node.exchange.handle_fetch(now, digest, image, members),
            None => node.exchange.handle_absent(&digest, CloseReason::NotHere),
        });
    }

    fn upload(&mut self, from: NodeId, to: NodeId, channel: Channel, piece: PieceIndex) {
        let mut bytes = self.piece(piece);
        if self.nodes[&from].is_liar {
            bytes[0] ^= 1;
        }
        let duration = transfer_time(bytes.len() as u64, self.setup.link_bytes_per_s);
        let start = self.now.max(self.nodes[&from].uplink_free);
        let sent = start + duration;
        let received = (start.max(self.nodes[&to].downlink_free)) + duration + self.setup.delay;
        self.nodes.get_mut(&from).expect("the sender").uplink_free = sent;
        self.nodes.get_mut(&to).expect("the receiver").downlink_free = received;
        let is_lost = self.setup.lost_one_in.is_some_and(|one_in| self.rng.u32(..one_in) == 0);
        self.at(sent, Event::PieceSent { from, to, piece, is_lost });
        if !is_lost && self.linked(from, to) {
            self.at(received, Event::PieceArrived { from, to, channel, piece, bytes: Arc::new(bytes) });
        }
    }
}

fn transfer_time(bytes: u64, bytes_per_s: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64)
}

fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}

pub(crate) fn image() -> ImageName {
    ImageName {
        registry: "registry.example".parse().expect("a host"),
        repository: "library/app".parse().expect("a repository"),
    }
}
