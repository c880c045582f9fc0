//! What can be set about a world.

use std::time::Duration;

use crate::units::Delay;
use shoal_protocol::{
    exchange::{Distance, ExchangeConfig},
    wire::{CloseReason, Message},
};

/// A piece of the small blobs that tests use.
pub const PIECE_BYTES: u64 = 64 * 1024;

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vice {
    /// Sends garbage for every piece.
    Garbles,
    /// Claims to hold the blob by a chain of its own over other content.
    SignsFalseChain,
    /// The same, by a chain that it says somebody else signed.
    RelaysFalseChain,
    /// Takes every want, and never sends a byte.
    Stalls,
}

/// Something that happens to a node at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stops, and its connections break.
    Dies,
    /// It stops, and nobody is told for a while.
    Vanishes,
    /// It stops, and comes back after this long with what it had stored.
    Restarts(Duration),
    /// It joins only now.
    Joins,
}

/// A fault in the shell around the machines, planted to see whether a checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bug {
    /// A node takes pieces without looking at them.
    SkipsVerification,
    /// A node's timers never fire.
    ForgetsTimeouts,
    /// A node serves a blob as complete that it has half of.
    ServesUnfinished,
    /// Each seed takes itself for the owner.
    TwoOwners,
}

/// Some nodes have another link than the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slow {
    /// Share of the peers, from 0 to 1.
    pub share: f64,
    /// Their rate over that of the others.
    pub factor: f64,
}

/// Nodes in groups that are joined by trunks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zones {
    /// How many; peers are dealt out in turn, seeds are in the first.
    pub count: usize,
    /// Rate of each zone's trunk, in bytes a second, in each direction.
    pub trunk_bytes_per_s: u64,
    /// What the delay between zones has on top of that within one.
    pub extra_delay: Duration,
}

/// Changes to the machines' configuration, to see what each part of it is worth.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, serde::Serialize)]
pub struct Knobs {
    /// Neighbours that a fetch connects to by itself
    #[arg(long)]
    pub dials: Option<usize>,
    /// How long haves wait for company, as in 5ms
    #[arg(long)]
    pub have_delay: Option<Delay>,
    /// Transfers at a time in each direction
    #[arg(long)]
    pub slots: Option<usize>,
    /// Transfers that are agreed on beyond the slots
    #[arg(long)]
    pub ahead: Option<usize>,
    /// Nodes do not know of the zones that they stand in
    #[arg(long)]
    pub unnamed_zones: bool,
}

impl Knobs {
    pub(super) fn apply(&self, config: &mut ExchangeConfig) {
        if let Some(dials) = self.dials {
            config.dials = dials;
            config.fetch_neighbours = config.fetch_neighbours.max(dials * 3);
        }
        if let Some(Delay(have_delay)) = self.have_delay {
            config.have_delay = have_delay;
        }
        config.slots = self.slots.or(config.slots);
        config.ahead = self.ahead.or(config.ahead);
    }
}

/// A world before it begins.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides everything that is left to chance.
    pub random_seed: u64,
    /// Nodes that want the blobs.
    pub peers: usize,
    /// Nodes that may ask the origin.
    pub seeds: usize,
    /// Length of each blob that every peer fetches.
    pub blobs_bytes: Vec<u64>,
    /// Length of a piece, where another than the one for the blob's length is to be tried.
    pub piece_bytes: Option<u32>,
    /// Rate of each node's link, in each direction.
    pub link_bytes_per_s: u64,
    /// Nodes that are slower.
    pub slow: Option<Slow>,
    /// One way, between any two nodes of a zone.
    pub delay: Duration,
    /// Groups of nodes; all are in one otherwise.
    pub zones: Option<Zones>,
    /// Round trips until a control stream is open, and again until a lane is: TCP, TLS, membership.
    pub handshake_round_trips: u32,
    /// Bytes a second that the origin sends.
    pub origin_bytes_per_s: u64,
    /// The origin sends nothing before this.
    pub origin_delay: Duration,
    /// This many nodes, the first seed first, have the blobs already.
    pub holders: usize,
    /// The last peers have a vice.
    pub vices: Vec<Vice>,
    /// One in this many pieces is lost on its way.
    pub lost_one_in: Option<u32>,
    /// What happens to nodes, by their number: seeds first.
    pub fates: Vec<(usize, Duration, Fate)>,
    /// What a hostile neighbour of everyone says, to one after the other.
    pub babble: Vec<Message>,
    /// The origin answers that there is no such blob.
    pub origin_refuses: Option<CloseReason>,
    /// Each of two seeds takes the other for the owner, and peers are of two minds.
    pub owners_disagree: bool,
    /// A runtime on every peer reads the first blob in order.
    pub reads: bool,
    /// Blobs that need no memory, whose pieces are judged by what the world knows of them: for large swarms.
    pub skips_hashing: bool,
    /// A planted fault.
    pub bug: Option<Bug>,
    /// Other knobs for the machines than the defaults.
    pub knobs: Knobs,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            random_seed: 1,
            peers: 8,
            seeds: 1,
            blobs_bytes: vec![64 * PIECE_BYTES],
            piece_bytes: None,
            link_bytes_per_s: 12_500_000,
            slow: None,
            delay: Duration::from_micros(200),
            zones: None,
            handshake_round_trips: 3,
            origin_bytes_per_s: 12_500_000,
            origin_delay: Duration::ZERO,
            holders: 0,
            vices: Vec::new(),
            lost_one_in: None,
            fates: Vec::new(),
            babble: Vec::new(),
            origin_refuses: None,
            owners_disagree: false,
            reads: false,
            skips_hashing: false,
            bug: None,
            knobs: Knobs::default(),
        }
    }
}

impl Setup {
    /// Nodes in all.
    pub fn nodes(&self) -> usize {
        self.seeds + self.peers
    }

    /// Rate of the link of the node with this number.
    pub fn link_of(&self, node: usize) -> u64 {
        let rate = self.link_bytes_per_s;
        match self.slow {
            Some(Slow { share, factor }) if self.is_slow(node, share) => (rate as f64 * factor) as u64,
            _ => rate,
        }
    }

    /// Slow nodes are spread evenly among the peers.
    fn is_slow(&self, node: usize, share: f64) -> bool {
        let Some(peer) = node.checked_sub(self.seeds) else { return false };
        (((peer + 1) as f64) * share).floor() > ((peer as f64) * share).floor()
    }

    /// True when the node has another link than the rest.
    pub fn has_slow_link(&self, node: usize) -> bool {
        self.slow.is_some_and(|slow| self.is_slow(node, slow.share))
    }

    /// The zone of a node.
    pub fn zone_of(&self, node: usize) -> usize {
        self.zones.map_or(0, |zones| node.saturating_sub(self.seeds) % zones.count.max(1))
    }

    /// What nodes are told of where others stand.
    pub fn distance(&self, one: usize, other: usize) -> Distance {
        if self.knobs.unnamed_zones || self.zone_of(one) == self.zone_of(other) {
            Distance::Near
        } else {
            Distance::Far
        }
    }

    /// One way between two nodes.
    pub fn delay_between(&self, one: usize, other: usize) -> Duration {
        match self.zones {
            Some(zones) if self.zone_of(one) != self.zone_of(other) => self.delay + zones.extra_delay,
            _ => self.delay,
        }
    }
}
