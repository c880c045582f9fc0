//! Who has what, known everywhere: each node gossips what it has, so finding holders is a look-up.
//!
//! Invariant: of what is known about a node, its signed record decides who it is, and only its own word, counted by
//! sequence number and compared by hash, decides what it has. A snapshot relayed by another node fills the time until
//! then. Where announcements were lost, [`Inventory::poll_stale`] names the node to ask.

mod holders;
mod known;
mod local;
mod merge;
mod nodes;
mod pace;
mod repair;
mod snapshot;
mod tally;

use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

pub use pace::InventoryConfig;

use self::{
    holders::Holders,
    known::EarlyKey,
    local::Local,
    nodes::{Nodes, Presence},
    repair::Repair,
};
use crate::{
    digest::Digest,
    exchange::{Distance, Members},
    identity::NodeId,
    membership::{ClusterKey, Role},
    ownership,
    time::Timestamp,
    wire::{Announcement, Holding, InventoryList, NodeRecord},
};

/// What a node knows of everyone's blobs, its own included.
#[derive(Debug)]
pub struct Inventory {
    cluster: ClusterKey,
    role: Option<Role>,
    local: Local,
    nodes: Nodes,
    holders: Holders,
    /// Announcements that came before one that they follow.
    early: BTreeMap<EarlyKey, Announcement>,
    repair: Repair,
    /// No node's deadline passes before.
    next_deadline: Option<Timestamp>,
}

/// Why something that a node said is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The record is not signed by its node, exceeds a bound, or is about another node than the one that speaks.
    #[error("the record of node {0} is forged or malformed: give its sender a strike")]
    BadRecord(NodeId),
    /// The role token was not made by the holder of the cluster key.
    #[error("node {0} claims a role that the cluster key's holder did not give it: give its sender a strike")]
    BadRole(NodeId),
    /// A message of an earlier start of the node.
    #[error("node {node} has started again since: incarnation {found} is older than {known}")]
    StaleIncarnation {
        /// The node.
        node: NodeId,
        /// Its latest incarnation.
        known: u64,
        /// The one that the message is from.
        found: u64,
    },
    /// The node has more blobs than [`crate::bounds::MAX_BLOBS_PER_NODE`], or the inventory has no room for more.
    #[error("no room for the blobs of node {0}: it is not asked for any until it announces fewer")]
    TooManyBlobs(NodeId),
    /// There are [`crate::bounds::MAX_NODES`] nodes already.
    #[error("no room for node {0}: the cluster is larger than this version supports")]
    TooManyNodes(NodeId),
}

impl Inventory {
    /// An inventory that knows nobody but this node, whose record is signed.
    ///
    /// # Errors
    /// When the others would refuse the record.
    pub fn new(
        me: NodeRecord,
        cluster: ClusterKey,
        config: InventoryConfig,
        now: Timestamp,
    ) -> Result<Self, InventoryError> {
        let role = known::verify_record(&cluster, &me)?;
        Ok(Self {
            cluster,
            role,
            local: Local::new(me, config, now),
            nodes: Nodes::default(),
            holders: Holders::default(),
            early: BTreeMap::new(),
            repair: Repair::default(),
            next_deadline: None,
        })
    }

    /// Notes what this node has of a blob, to be announced. False when it has more than it may announce; the blob
    /// then stays unknown to others.
    pub fn set_local(&mut self, digest: Digest, holding: Option<Holding>) -> bool {
        self.local.set(digest, holding)
    }

    /// The next announcement to gossip, when one is due.
    pub fn poll_announcement(&mut self, now: Timestamp) -> Option<Announcement> {
        let nodes = self.nodes.live() + 1;
        self.local.poll(now, nodes)
    }

    /// A node whose own list to ask for ([`crate::wire::Query::Inventory`]), because what is known of it has a gap.
    pub fn poll_stale(&mut self, now: Timestamp) -> Option<NodeId> {
        self.repair.poll(now)
    }

    /// When to call [`Self::handle_expiry`], [`Self::poll_announcement`] and [`Self::poll_stale`] next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.local.due_at(), self.next_deadline, self.repair.due_at()].into_iter().flatten().min()
    }

    /// The goodbye to gossip before this node stops. Nothing is announced after it.
    pub fn leave(&mut self) -> Announcement {
        self.local.leave()
    }

    /// Everything that this node has announced, for a node that asks.
    pub fn own_list(&self) -> InventoryList {
        self.local.list(self.nodes.live() + 1)
    }

    /// Gives up nodes that were silent for too long.
    pub fn handle_expiry(&mut self, now: Timestamp) {
        if self.next_deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let passed: Vec<_> =
            self.nodes.iter().filter(|(_, node)| node.deadline <= now).map(|(slot, _)| slot).collect();
        for slot in passed {
            self.expire(slot, now);
        }
        self.early.retain(|(id, ..), _| self.nodes.slot(id).is_some() || self.repair.is_planned(id));
        self.next_deadline = self.nodes.iter().map(|(_, node)| node.deadline).min();
    }

    /// The connection to `node` broke: it is not live until it is heard again.
    pub fn suspect(&mut self, node: NodeId) {
        if let Some(slot) = self.nodes.slot(&node)
            && self.is_live(&node)
        {
            self.nodes.set_presence(slot, Presence::Suspect);
        }
    }

    /// The other live nodes that have `digest`, or part of it.
    pub fn holders(&self, digest: &Digest) -> impl Iterator<Item = (NodeId, Holding)> {
        self.live_holders(digest).map(|(record, holding)| (record.node, holding))
    }

    fn live_holders(&self, digest: &Digest) -> impl Iterator<Item = (&NodeRecord, Holding)> {
        self.holders.of(digest).filter_map(|(slot, holding)| {
            let node = self.nodes.get(slot)?;
            (node.presence == Presence::Live).then_some((&node.record, holding))
        })
    }

    /// Who takes part in a blob: its seeds in order of ownership, and other live nodes that have it or part of it.
    pub fn members(&self, digest: &Digest) -> Members {
        let seeds = ownership::owners(digest.to_string().as_bytes(), &self.live_seeds());
        let me = &self.local.record;
        let nodes = self
            .live_holders(digest)
            .map(|(record, holding)| (record.node, holding, Distance::between(&me.zone, &record.zone)));
        Members::choose(&me.node, seeds, nodes)
    }

    /// Whether a node stands in this one's zone; near, while nothing is known of it.
    pub fn distance(&self, node: &NodeId) -> Distance {
        let zone = self.node(node).map_or("", |record| record.zone.as_str());
        Distance::between(&self.local.record.zone, zone)
    }

    /// The record of a node, live or not.
    pub fn node(&self, node: &NodeId) -> Option<&NodeRecord> {
        if *node == self.local.record.node {
            return Some(&self.local.record);
        }
        self.nodes.by_id(node).map(|node| &node.record)
    }

    /// True for this node and for those heard within their lifetime.
    pub fn is_live(&self, node: &NodeId) -> bool {
        *node == self.local.record.node
            || self.nodes.by_id(node).is_some_and(|node| node.presence == Presence::Live)
    }

    /// The record of this node.
    pub fn own_record(&self) -> &NodeRecord {
        &self.local.record
    }

    /// The records of the other live nodes, in order of their ids.
    pub fn live_nodes(&self) -> impl Iterator<Item = &NodeRecord> {
        self.nodes.iter().filter(|(_, node)| node.presence == Presence::Live).map(|(_, node)| &node.record)
    }

    /// The live seeds, this node among them if it is one: what [`crate::ownership::owners`] takes.
    pub fn live_seeds(&self) -> Vec<NodeId> {
        let is_live_seed =
            |node: &nodes::Node| node.presence == Presence::Live && node.role == Some(Role::Seed);
        let others =
            self.nodes.iter().filter(|(_, node)| is_live_seed(node)).map(|(_, node)| node.record.node);
        let me = (self.role == Some(Role::Seed)).then_some(self.local.record.node);
        others.chain(me).collect()
    }

    /// Number of live nodes, this one included.
    pub fn len_nodes(&self) -> usize {
        self.nodes.live() as usize + 1
    }

    /// Number of blobs that any other node has.
    pub fn len_blobs(&self) -> usize {
        self.holders.len_blobs()
    }
}
