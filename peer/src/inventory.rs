//! Keeps the inventory alive: gossips this node's changes, takes in those of others, asks where there is a gap.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use shoal_protocol::{
    digest::Digest,
    exchange::{Distance, Fault, Members},
    identity::NodeId,
    inventory::{Inventory, InventoryError},
    membership::Role,
    ownership,
    wire::{Announcement, Answer, Holding, InventoryList, Query, SnapshotEntry, Wire},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, query, swarm::SwarmHandle};

/// A node that gives no list in this time is asked again later.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The inventory, shared. Cheap to clone.
#[derive(Clone)]
pub struct InventoryHandle {
    shared: Arc<Shared>,
}

struct Shared {
    swarm: SwarmHandle,
    clock: Clock,
    /// A std mutex: held for one look-up or change, never across an await.
    inventory: Mutex<Inventory>,
    changed: Notify,
}

impl InventoryHandle {
    /// Shares `inventory`; [`Self::run`] keeps it alive.
    pub fn new(inventory: Inventory, swarm: SwarmHandle, clock: Clock) -> Self {
        let shared = Shared { swarm, clock, inventory: Mutex::new(inventory), changed: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Gossips and repairs until told to stop, then says goodbye.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            self.publish_due().await;
            self.repair_due();
            let due = self.lock().poll_timeout();
            let until_due = async {
                match due {
                    Some(at) => tokio::time::sleep_until(self.shared.clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.shared.changed.notified() => {}
                () = until_due => self.lock().handle_expiry(self.shared.clock.now()),
            }
        }
        let goodbye = self.lock().leave();
        self.publish(&goodbye).await;
    }

    /// Notes what this node has of a blob; the others hear of it.
    pub fn set_local(&self, digest: Digest, holding: Option<Holding>) {
        if !self.lock().set_local(digest, holding) {
            tracing::debug!(%digest, "not announced: this node has more blobs than it may announce");
        }
        self.shared.changed.notify_one();
    }

    /// Takes in a gossiped message, whose author is `from`.
    ///
    /// # Errors
    /// With what is wrong, when the message can't be believed.
    pub async fn handle_gossip(&self, from: NodeId, data: Bytes) -> Result<(), Fault> {
        let announcement = Announcement::decode(&data).map_err(|error| {
            tracing::warn!(%from, %error, "gossip that can't be read");
            Fault::Malformed
        })?;
        if announcement.node != from {
            tracing::warn!(%from, claimed = %announcement.node, "gossip in another node's name");
            return Err(Fault::Forged);
        }
        let believed = self.lock().handle_announcement(self.shared.clock.now(), &announcement);
        if let Err(error) = believed {
            tracing::warn!(%from, %error, "an announcement is not believed");
            return match error {
                InventoryError::BadRecord(_) | InventoryError::BadRole(_) => Err(Fault::Forged),
                _ => Ok(()),
            };
        }
        if let Some(record) = announcement.record {
            self.shared.swarm.learn(record.node, record.swarm_addresses).await;
        }
        self.shared.changed.notify_one();
        Ok(())
    }

    /// A node connected: asks it what it has, and what it knows of everyone.
    pub fn handle_connected(&self, node: NodeId) {
        let inventory = self.clone();
        tokio::spawn(async move {
            // Its own word first: by it the node counts as live, long before its next announcement.
            inventory.ask_for_list(node).await;
            match inventory.ask(node, &Query::Snapshot).await {
                Some(Answer::Snapshot(entries)) => inventory.learn(node, entries).await,
                Some(_) => tracing::warn!(%node, "asked for a snapshot, answered with something else"),
                None => {}
            }
        });
    }

    /// The connection to a node broke: it does not count as live until it is heard again.
    pub fn handle_disconnected(&self, node: NodeId) {
        self.lock().suspect(node);
        self.shared.changed.notify_one();
    }

    /// What this node knows of everyone.
    pub fn snapshot(&self) -> Vec<SnapshotEntry> {
        self.lock().snapshot(self.shared.clock.now())
    }

    /// What this node has itself.
    pub fn own_list(&self) -> InventoryList {
        self.lock().own_list()
    }

    /// Who takes part in a blob, see [`Inventory::members`].
    pub fn members(&self, digest: &Digest) -> Members {
        self.lock().members(digest)
    }

    /// Whether a node stands in this one's zone; near, while nothing is known of it.
    pub fn distance(&self, node: &NodeId) -> Distance {
        self.lock().distance(node)
    }

    /// The live seeds in the order in which they own `key`.
    pub fn owners(&self, key: &str) -> Vec<NodeId> {
        ownership::owners(key.as_bytes(), &self.lock().live_seeds())
    }

    /// All live nodes, this one included, and the zone of each.
    pub fn live_nodes(&self) -> Vec<(NodeId, String)> {
        let inventory = self.lock();
        let me = inventory.own_record();
        std::iter::once(me)
            .chain(inventory.live_nodes())
            .map(|record| (record.node, record.zone.clone()))
            .collect()
    }

    /// True when that node is a seed, by a token of the cluster key's holder.
    pub fn is_seed(&self, node: &NodeId) -> bool {
        let inventory = self.lock();
        // Records in the inventory have had their tokens verified.
        inventory
            .node(node)
            .and_then(|record| record.role.as_ref())
            .is_some_and(|token| token.role == Role::Seed)
    }

    /// Where a node's swarm listens.
    pub fn swarm_addresses(&self, node: &NodeId) -> Vec<SocketAddr> {
        self.lock().node(node).map(|record| record.swarm_addresses.clone()).unwrap_or_default()
    }

    /// Where a node's lanes are opened.
    pub fn lane_addresses(&self, node: &NodeId) -> Vec<SocketAddr> {
        self.lock().node(node).map(|record| record.lane_addresses.clone()).unwrap_or_default()
    }

    /// Live nodes and known blobs.
    pub fn size(&self) -> (usize, usize) {
        let inventory = self.lock();
        (inventory.len_nodes(), inventory.len_blobs())
    }

    /// True when a seed is live.
    pub fn has_seed(&self) -> bool {
        !self.lock().live_seeds().is_empty()
    }

    async fn publish_due(&self) {
        loop {
            let announcement = self.lock().poll_announcement(self.shared.clock.now());
            let Some(announcement) = announcement else { return };
            self.publish(&announcement).await;
        }
    }

    async fn publish(&self, announcement: &Announcement) {
        let mut data = Vec::new();
        announcement.encode(&mut data);
        if let Err(error) = self.shared.swarm.publish(data).await {
            tracing::debug!(%error, "an announcement was not gossiped; others will ask for what they missed");
        }
    }

    /// Asks nodes for their own lists where announcements were lost.
    fn repair_due(&self) {
        loop {
            let stale = self.lock().poll_stale(self.shared.clock.now());
            let Some(node) = stale else { return };
            let inventory = self.clone();
            tokio::spawn(async move { inventory.ask_for_list(node).await });
        }
    }

    /// Takes in what a node says that it has.
    async fn ask_for_list(&self, node: NodeId) {
        let Some(Answer::Inventory(list)) = self.ask(node, &Query::Inventory).await else { return };
        let addresses = list.record.swarm_addresses.clone();
        let believed = self.lock().handle_inventory(self.shared.clock.now(), node, &list);
        match believed {
            Ok(()) => self.shared.swarm.learn(node, addresses).await,
            Err(error) => tracing::warn!(%node, %error, "its list is not believed"),
        }
        self.shared.changed.notify_one();
    }

    async fn learn(&self, from: NodeId, entries: Vec<SnapshotEntry>) {
        let addresses: Vec<_> =
            entries.iter().map(|entry| (entry.record.node, entry.record.swarm_addresses.clone())).collect();
        let believed = self.lock().handle_snapshot(self.shared.clock.now(), entries);
        if let Err(error) = believed {
            tracing::warn!(%from, %error, "part of its snapshot is not believed");
        }
        for (node, addresses) in addresses {
            self.shared.swarm.learn(node, addresses).await;
        }
        self.shared.changed.notify_one();
    }

    async fn ask(&self, node: NodeId, query: &Query) -> Option<Answer> {
        let addresses = self.swarm_addresses(&node);
        match query::ask(&self.shared.swarm, node, addresses, query, QUERY_TIMEOUT).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::debug!(%node, %error, "no inventory from it");
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inventory> {
        self.shared.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
