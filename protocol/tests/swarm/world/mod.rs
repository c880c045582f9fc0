//! A cluster in virtual time: real exchange machines, and links that take as long as their rate says.
//!
//! Each link sends one piece after the other. While a world runs it checks that no false byte reaches a runtime or a
//! complete blob, that nobody sends what it has not verified, and that slots are kept to.

mod acts;
mod cast;
mod content;
mod fates;
mod origin;
mod setup;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use content::{Content, Truth};
use shoal_protocol::{
    chain::ChainBuilder,
    digest::Digest,
    exchange::{Exchange, ExchangeConfig},
    geometry::PieceIndex,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

pub(crate) use setup::{Fate, Outcome, PIECE_BYTES, Setup, Vice};

/// How often the inventory tells everyone who holds what.
const INVENTORY_INTERVAL: Duration = Duration::from_secs(1);
/// A run goes on for this long after everyone is done, so that what follows is checked too.
const AFTERMATH: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Event {
    Start {
        node: NodeId,
    },
    Connected {
        to: NodeId,
        with: NodeId,
    },
    ConnectFailed {
        to: NodeId,
        with: NodeId,
    },
    Disconnected {
        to: NodeId,
        with: NodeId,
    },
    Deliver {
        from: NodeId,
        to: NodeId,
        life: u32,
        message: Message,
    },
    PieceSent {
        from: NodeId,
        to: NodeId,
        digest: Digest,
        piece: PieceIndex,
        is_lost: bool,
    },
    PieceLeaves {
        to: NodeId,
        arrival: Box<Event>,
        duration: Duration,
    },
    PieceArrived {
        from: NodeId,
        to: NodeId,
        channel: Channel,
        digest: Digest,
        piece: PieceIndex,
        truth: Truth,
    },
    Authored {
        node: NodeId,
        digest: Digest,
        piece: PieceIndex,
        is_last: bool,
        life: u32,
    },
    AuthorEnded {
        node: NodeId,
        digest: Digest,
        result: Result<(), CloseReason>,
    },
    Tick {
        node: NodeId,
    },
    Inventory,
    Fate {
        node: NodeId,
        fate: Fate,
    },
    Returns {
        node: NodeId,
    },
    Noticed {
        node: NodeId,
    },
}

struct Node {
    exchange: Exchange,
    config: ExchangeConfig,
    key: NodeKey,
    vice: Option<Vice>,
    is_alive: bool,
    /// Counts restarts, so that what was under way before one is lost.
    life: u32,
    builders: BTreeMap<Digest, ChainBuilder>,
    uplink_free: Timestamp,
    downlink_free: Timestamp,
    next_tick: Option<Timestamp>,
    stored: BTreeMap<(Digest, PieceIndex), Truth>,
    uploading: usize,
    reading: Option<(PieceIndex, Timestamp)>,
}

pub(crate) struct World {
    setup: Setup,
    rng: fastrand::Rng,
    cluster: ClusterKey,
    blobs: Vec<Content>,
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
        let blobs = setup.blobs_bytes.iter().map(|len| Content::random(*len, &mut rng)).collect();
        let mut world = Self {
            cluster: ClusterKey::from_root([7; 32]),
            blobs,
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

    /// Seeds come first, then honest peers, then those with a vice.
    fn populate(&mut self) {
        let total = self.setup.seeds + self.setup.peers;
        let first_bad = total - self.setup.vices.len();
        for index in 0..total {
            let secret = self.rng.u128(..).to_be_bytes().repeat(2).try_into().expect("32 bytes");
            let key = NodeKey::from_secret(secret);
            let config = ExchangeConfig::new(key.node_id(), index < self.setup.seeds, self.rng.u64(..));
            let node = Node {
                exchange: Exchange::new(config.clone(), self.cluster.clone()),
                config,
                vice: index.checked_sub(first_bad).map(|bad| self.setup.vices[bad]),
                is_alive: true,
                life: 0,
                builders: BTreeMap::new(),
                uplink_free: Timestamp::ZERO,
                downlink_free: Timestamp::ZERO,
                next_tick: None,
                stored: BTreeMap::new(),
                uploading: 0,
                reading: None,
                key,
            };
            self.order.push(node.key.node_id());
            self.nodes.insert(node.key.node_id(), node);
        }
    }

    pub(crate) fn node(&self, index: usize) -> NodeId {
        self.order[index]
    }

    pub(crate) fn node_count(&self) -> usize {
        self.order.len()
    }

    /// Peers that are honest and are there at the end.
    pub(crate) fn lasting_peers(&self) -> Vec<NodeId> {
        let is_fatal = |fate: &Fate| matches!(fate, Fate::Dies | Fate::Vanishes);
        (self.setup.seeds..self.order.len() - self.setup.vices.len())
            .filter(|index| !self.setup.fates.iter().any(|(who, _, fate)| who == index && is_fatal(fate)))
            .map(|index| self.order[index])
            .collect()
    }

    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.blobs.iter().map(|blob| blob.digest)
    }

    /// When the last lasting peer had everything.
    pub(crate) fn last_completion(&self) -> Timestamp {
        let lasting = self.lasting_peers();
        let completed = self.outcome.completed.iter();
        completed.filter(|((node, _), _)| lasting.contains(node)).map(|(_, at)| *at).max().unwrap_or_default()
    }

    /// Completion of the last lasting peer over the discrete bound.
    pub(crate) fn last_over_bound(&self) -> f64 {
        let seconds = self.last_completion().since(Timestamp::ZERO).as_secs_f64();
        let blob_bytes: u64 = self.setup.blobs_bytes.iter().sum();
        let pieces: u32 = self.blobs.iter().map(|blob| blob.geometry.piece_count()).sum();
        let fluid = blob_bytes as f64 / self.setup.link_bytes_per_s as f64;
        let rounds = f64::from(self.setup.peers.ilog2()) / f64::from(pieces);
        seconds / (fluid * (1.0 + rounds))
    }

    pub(crate) fn run(&mut self, limit: Duration) {
        self.schedule();
        let mut end = Timestamp::ZERO + limit;
        while let Some(Reverse((now, sequence))) = self.events.pop() {
            if now > end {
                break;
            }
            self.now = now;
            let event = self.payloads.remove(&sequence).expect("every queued event has a payload");
            let is_census = matches!(event, Event::Inventory);
            self.handle(event);
            if is_census && self.is_over() {
                end = end.min(now + AFTERMATH);
            }
        }
    }

    fn schedule(&mut self) {
        for (index, after, fate) in self.setup.fates.clone() {
            self.at(Timestamp::ZERO + after, Event::Fate { node: self.order[index], fate });
            if matches!(fate, Fate::Joins) {
                self.nodes.get_mut(&self.order[index]).expect("a node").is_alive = false;
            }
        }
        for node in self.order.clone() {
            self.at(Timestamp::ZERO, Event::Start { node });
        }
        self.at(Timestamp::ZERO + INVENTORY_INTERVAL, Event::Inventory);
        self.babble();
    }

    /// A node without a machine, connected to all from the start.
    pub(crate) fn babbler(&self) -> NodeId {
        NodeKey::from_secret([8; 32]).node_id()
    }

    fn babble(&mut self) {
        let (from, targets) = (self.babbler(), self.order.clone());
        for (index, message) in std::mem::take(&mut self.setup.babble).into_iter().enumerate() {
            let to = targets[index % targets.len()];
            if index < targets.len() {
                self.at(Timestamp::ZERO, Event::Connected { to, with: from });
            }
            let when = Timestamp::ZERO + Duration::from_millis(3) * index as u32;
            self.at(when, Event::Deliver { from, to, life: 0, message });
        }
    }

    fn is_over(&self) -> bool {
        let nodes = self.lasting_peers();
        self.digests().all(|digest| {
            let ended = |node: &NodeId| {
                let key = (*node, digest);
                self.outcome.completed.contains_key(&key) || self.outcome.failed.contains_key(&key)
            };
            nodes.iter().all(ended)
        })
    }

    fn at(&mut self, when: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((when, self.sequence)));
        self.payloads.insert(self.sequence, event);
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        let touched = match event {
            Event::Start { node } => return self.start(node),
            Event::Inventory => return self.take_inventory(),
            Event::Fate { node, fate } => return self.befall(node, fate),
            Event::Returns { node } => return self.come_back(node),
            Event::Noticed { node } => return self.notice_loss(node),
            Event::Connected { to, with } => self.with(to, |node| node.exchange.handle_connected(now, with)),
            Event::ConnectFailed { to, with } => {
                self.with(to, |node| node.exchange.handle_connect_failed(now, with))
            }
            Event::Disconnected { to, with } => {
                self.with(to, |node| node.exchange.handle_disconnected(now, with))
            }
            Event::Deliver { from, to, life, message } => {
                self.outcome.messages += 1;
                self.with(to, |node| {
                    if node.life == life {
                        node.exchange.handle_message(now, from, message);
                    }
                })
            }
            Event::PieceSent { from, to, digest, piece, is_lost } => self.with(from, |node| {
                node.uploading = node.uploading.saturating_sub(1);
                node.exchange.handle_uploaded(now, to, digest, piece, !is_lost);
            }),
            Event::PieceLeaves { to, arrival, duration } => return self.put_on_wire(to, *arrival, duration),
            Event::PieceArrived { from, to, channel, digest, piece, truth } => {
                self.arrive(from, to, channel, digest, piece, truth)
            }
            Event::Authored { node, digest, piece, is_last, life } => {
                self.author(node, digest, piece, is_last, life)
            }
            Event::AuthorEnded { node, digest, result } => {
                self.with(node, |node| node.exchange.handle_pull_ended(now, &digest, result))
            }
            Event::Tick { node } => self.with(node, |node| {
                node.next_tick = None;
                node.exchange.handle_timeout(now);
            }),
        };
        if let Some(node) = touched {
            self.read_on(node);
            self.drain(node);
        }
    }

    fn with(&mut self, id: NodeId, act: impl FnOnce(&mut Node)) -> Option<NodeId> {
        let node = self.nodes.get_mut(&id).filter(|node| node.is_alive)?;
        act(node);
        Some(id)
    }
}

pub(crate) fn image() -> ImageName {
    ImageName {
        registry: "registry.example".parse().expect("a host"),
        repository: "library/app".parse().expect("a repository"),
    }
}
