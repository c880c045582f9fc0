//! A cluster in virtual time: the real exchange machines, and links that take as long as their rate says.
//!
//! While a world runs it checks that no false byte reaches a runtime or a complete blob, that nobody sends what it
//! does not have, that slots are kept to, and that the origin is asked once. What breaks a rule is noted in
//! [`Outcome::violations`]. Everything follows from the [`Setup`]: the same one has the same outcome, always.

mod acts;
mod cast;
mod content;
mod fates;
mod hash;
mod links;
mod node;
mod origin;
mod outcome;
mod queue;
mod setup;
mod transfers;

use std::{collections::HashMap, time::Duration};

use shoal_protocol::{
    chain::Chain,
    digest::Digest,
    exchange::{Distance, Exchange, ExchangeConfig},
    geometry::GeometryError,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    reference::ImageName,
    time::Timestamp,
    wire::{CloseReason, Holding, Message},
};

use content::{Content, Truth};
use hash::Map;
use links::{Due, Links, PortId};
use node::Node;
use queue::Queue;
use transfers::{PROGRESS_EVERY, Sending};

pub use outcome::{End, Outcome};
pub use setup::{Bug, Fate, Knobs, PIECE_BYTES, Setup, Slow, Vice, Zones};

/// How often the inventory tells everyone who holds what.
const INVENTORY_INTERVAL: Duration = Duration::from_secs(1);
/// A run goes on for this long after everyone is done, so that what follows is checked too.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How often somebody who watches is shown the outcome: some tenths of a second of work.
const EVENTS_BETWEEN_LOOKS: u32 = 65_536;

#[derive(Debug)]
enum Event {
    Start { node: usize },
    Connected { to: usize, with: usize, link: u64 },
    ConnectFailed { to: usize, with: usize },
    Disconnected { to: usize, with: usize },
    Deliver { from: usize, to: usize, life: u32, message: Message },
    Babble { to: usize, message: Option<Message> },
    LaneOpen { from: usize, to: usize, life: u32 },
    FlowDue(Due),
    Progress,
    PieceArrived { from: usize, to: usize, job: node::Job },
    Authored { node: usize, blob: usize, batch: Vec<u32>, is_last: bool, life: u32 },
    AuthorEnded { node: usize, digest: Digest, result: Result<(), CloseReason>, life: u32 },
    Tick { node: usize },
    Inventory,
    Fate { node: usize, fate: Fate },
    Returns { node: usize },
    Noticed { node: usize },
}

/// A cluster, at a time.
pub struct World {
    setup: Setup,
    rng: fastrand::Rng,
    cluster: ClusterKey,
    blobs: Vec<Content>,
    /// The true chain of each blob, once somebody was to hold it.
    chains: Vec<Option<Chain>>,
    nodes: Vec<Node>,
    numbers: Map<NodeId, usize>,
    links: Links,
    trunks: Vec<(PortId, PortId)>,
    /// What each flow carries, by its number.
    sending: Vec<Option<Sending>>,
    events: Queue<Event>,
    now: Timestamp,
    /// Who has each blob or part of it, in the inventory's eyes; `None` when that has to be looked up again.
    census: Vec<Option<Vec<(usize, Holding)>>>,
    /// Pieces that the origin has sent, by blob.
    pulled: Vec<Vec<u8>>,
    /// Memory for frames that are only measured.
    frame: Vec<u8>,
    outcome: Outcome,
}

impl World {
    /// A world at its beginning.
    ///
    /// # Errors
    /// When a blob can't be cut into the pieces that were asked for.
    pub fn new(setup: Setup) -> Result<Self, GeometryError> {
        let mut rng = fastrand::Rng::with_seed(setup.random_seed);
        let blob = |(number, len): (u32, &u64)| match setup.skips_hashing {
            true => Content::numbered(number, *len, setup.piece_bytes),
            false => Content::random(*len, &mut rng),
        };
        let blobs: Vec<Content> = (0..).zip(&setup.blobs_bytes).map(blob).collect::<Result<_, _>>()?;
        let nothing_ended = vec![vec![None; blobs.len()]; setup.nodes()];
        let mut world = Self {
            cluster: ClusterKey::from_root([7; 32]),
            nodes: Vec::new(),
            numbers: Map::default(),
            links: Links::default(),
            trunks: Vec::new(),
            sending: Vec::new(),
            events: Queue::new(),
            now: Timestamp::ZERO,
            frame: Vec::new(),
            census: vec![None; blobs.len()],
            chains: vec![None; blobs.len()],
            pulled: blobs.iter().map(|blob| vec![0; blob.geometry.piece_count() as usize]).collect(),
            outcome: Outcome { ends: nothing_ended, ..Outcome::default() },
            blobs,
            rng,
            setup,
        };
        world.populate();
        Ok(world)
    }

    /// Seeds come first, then honest peers, then those with a vice.
    fn populate(&mut self) {
        if let Some(zones) = self.setup.zones {
            for _ in 0..zones.count {
                let trunk =
                    (self.links.port(zones.trunk_bytes_per_s), self.links.port(zones.trunk_bytes_per_s));
                self.trunks.push(trunk);
            }
        }
        let first_bad = self.setup.nodes() - self.setup.vices.len();
        for index in 0..self.setup.nodes() {
            let mut secret = [0; 32];
            self.rng.fill(&mut secret);
            let key = NodeKey::from_secret(secret);
            let id = key.node_id();
            let mut config = ExchangeConfig::new(id, index < self.setup.seeds, self.rng.u64(..));
            self.setup.knobs.apply(&mut config);
            let rate = self.setup.link_of(index);
            self.nodes.push(Node {
                exchange: Exchange::new(config.clone(), self.cluster.clone()),
                config,
                id,
                key,
                vice: index.checked_sub(first_bad).map(|bad| self.setup.vices[bad]),
                // The first peer; but two owners are two seeds.
                has_bug: self.setup.bug.is_some() && index == self.setup.seeds,
                is_alive: true,
                life: 0,
                builders: HashMap::new(),
                uplink: self.links.port(rate),
                downlink: self.links.port(rate),
                next_tick: None,
                stored: self.pulled.iter().map(|pieces| vec![None; pieces.len()]).collect(),
                connected: Vec::new(),
                lanes: Map::default(),
                uploads: 0,
                reading: None,
            });
            self.numbers.insert(id, index);
        }
    }

    /// What was set.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What came out, so far.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Name of the node with this number.
    pub fn node(&self, number: usize) -> NodeId {
        self.nodes[number].id
    }

    /// The digest of the first blob.
    pub fn digest(&self) -> Digest {
        self.blobs[0].digest
    }

    /// Pieces of all blobs.
    pub fn piece_count(&self) -> u32 {
        self.blobs.iter().map(|blob| blob.geometry.piece_count()).sum()
    }

    /// Numbers of the peers that are honest and are there at the end.
    pub fn lasting_peers(&self) -> impl Iterator<Item = usize> + '_ {
        let is_fatal = |fate: &Fate| matches!(fate, Fate::Dies | Fate::Vanishes);
        (self.setup.seeds..self.setup.nodes() - self.setup.vices.len())
            .filter(move |node| !self.setup.fates.iter().any(|(who, _, fate)| who == node && is_fatal(fate)))
    }

    /// Runs until everyone has come to an end, or until `limit`.
    pub fn run(&mut self, limit: Duration) {
        self.run_watched(limit, |_| {});
    }

    /// As [`Self::run`], and lets `watch` see now and then what came out so far.
    pub fn run_watched(&mut self, limit: Duration, mut watch: impl FnMut(&Outcome)) {
        self.schedule();
        let mut end = Timestamp::ZERO + limit;
        let mut unfinished: Vec<usize> = self.lasting_peers().collect();
        let mut events: u32 = 0;
        while let Some((now, event)) = self.events.pop() {
            events = events.wrapping_add(1);
            if events.is_multiple_of(EVENTS_BETWEEN_LOOKS) {
                watch(&self.outcome);
            }
            if now > end || !self.outcome.violations.is_empty() {
                break;
            }
            self.now = now;
            self.handle(event);
            while unfinished.last().is_some_and(|node| self.has_ended(*node)) {
                unfinished.pop();
            }
            if unfinished.is_empty() {
                end = end.min(now + AFTERMATH);
            }
        }
        self.check_end();
    }

    fn schedule(&mut self) {
        for (node, after, fate) in self.setup.fates.clone() {
            self.events.push(Timestamp::ZERO + after, Event::Fate { node, fate });
            if fate == Fate::Joins {
                self.nodes[node].is_alive = false;
            }
        }
        for node in 0..self.nodes.len() {
            self.events.push(Timestamp::ZERO, Event::Start { node });
        }
        self.events.push(Timestamp::ZERO + INVENTORY_INTERVAL, Event::Inventory);
        self.events.push(Timestamp::ZERO + PROGRESS_EVERY, Event::Progress);
        self.babble();
    }

    /// A node without a machine, connected to all from the start.
    pub fn babbler() -> NodeId {
        NodeKey::from_secret([8; 32]).node_id()
    }

    fn babble(&mut self) {
        for (index, message) in std::mem::take(&mut self.setup.babble).into_iter().enumerate() {
            let to = index % self.nodes.len();
            if index < self.nodes.len() {
                self.events.push(Timestamp::ZERO, Event::Babble { to, message: None });
            }
            let when = Timestamp::ZERO + Duration::from_millis(3) * index as u32;
            self.events.push(when, Event::Babble { to, message: Some(message) });
        }
    }

    fn has_ended(&self, node: usize) -> bool {
        self.outcome.ends[node].iter().all(Option::is_some)
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        let touched = match event {
            Event::Start { node } => return self.start(node),
            Event::Inventory => return self.take_inventory(),
            Event::Fate { node, fate } => return self.befall(node, fate),
            Event::Returns { node } => return self.come_back(node),
            Event::Noticed { node } => return self.notice_loss(node),
            Event::FlowDue(due) => return self.flow_due(due),
            Event::Progress => return self.tell_progress(),
            Event::LaneOpen { from, to, life } => return self.lane_opened(from, to, life),
            Event::Connected { to, with, link } => self.connected(to, with, link),
            Event::ConnectFailed { to, with } => {
                let with = self.nodes[with].id;
                self.tell(to, |node| node.exchange.handle_connect_failed(now, with))
            }
            Event::Disconnected { to, with } => {
                let with = self.nodes[with].id;
                self.tell(to, |node| node.exchange.handle_disconnected(now, with))
            }
            Event::Deliver { from, to, life, message } => self.deliver(from, to, life, message),
            Event::Babble { to, message } => self.tell(to, |node| match message {
                Some(message) => node.exchange.handle_message(now, Self::babbler(), message),
                None => node.exchange.handle_connected(now, Self::babbler(), Distance::Near),
            }),
            Event::PieceArrived { from, to, job } => self.arrive(from, to, job),
            Event::Authored { node, blob, batch, is_last, life } => {
                self.author(node, blob, &batch, is_last, life)
            }
            Event::AuthorEnded { node, digest, result, life } => {
                if self.nodes[node].life != life {
                    return;
                }
                self.tell(node, |node| node.exchange.handle_pull_ended(now, &digest, result))
            }
            Event::Tick { node } => self.tick(node),
        };
        if let Some(node) = touched {
            self.read_on(node);
            self.drain(node);
        }
    }

    /// Lets a living node act; its number if it lives.
    fn tell(&mut self, number: usize, act: impl FnOnce(&mut Node)) -> Option<usize> {
        let node = &mut self.nodes[number];
        if !node.is_alive {
            return None;
        }
        act(node);
        Some(number)
    }

    fn tick(&mut self, number: usize) -> Option<usize> {
        let now = self.now;
        let node = &mut self.nodes[number];
        if node.next_tick != Some(now) {
            return None;
        }
        node.next_tick = None;
        if node.has_bug && self.setup.bug == Some(Bug::ForgetsTimeouts) {
            return None;
        }
        self.tell(number, |node| node.exchange.handle_timeout(now))
    }

    fn violate(&mut self, what: &str) {
        let at_s = self.now.since(Timestamp::ZERO).as_secs_f64();
        self.outcome.violations.push(format!("after {at_s:.3} s: {what}"));
    }

    fn blob_number(&self, digest: &Digest) -> Option<usize> {
        self.blobs.iter().position(|blob| blob.digest == *digest)
    }
}

/// The image that all blobs belong to.
#[allow(clippy::expect_used, reason = "both names are constants")]
pub fn image() -> ImageName {
    let part = "a name that is a name";
    ImageName {
        registry: "registry.example".parse().expect(part),
        repository: "library/app".parse().expect(part),
    }
}
