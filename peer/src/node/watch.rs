//! What a node shows of itself: sizes, readiness, status.

use std::time::Duration;

use serde_json::{Value, json};
use shoal_protocol::{identity::NodeId, membership::Role};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{Readiness, StatusSource},
    clock::Clock,
    inventory::InventoryHandle,
    metrics::Metrics,
    store::Store,
    swarm::SwarmHandle,
};

/// How often sizes and readiness are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks at a node's parts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) id: NodeId,
    pub(super) role: Role,
    pub(super) clock: Clock,
    pub(super) inventory: InventoryHandle,
    pub(super) swarm: SwarmHandle,
    pub(super) store: Store,
    pub(super) metrics: Metrics,
}

impl Watcher {
    /// Keeps gauges and readiness true until told to stop.
    pub(super) async fn run(self, readiness: Readiness, stop: CancellationToken) {
        let seed = readiness.condition("seed");
        let disk = readiness.condition("store");
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.measure();
            if self.inventory.has_seed() {
                seed.holds();
            } else {
                seed.waits("no seed is known; is swarm.bootstrap right, and the cluster key the same?");
            }
            match self.store.stats().degraded {
                Some(reason) => disk.waits(reason.as_ref()),
                None => disk.holds(),
            }
        }
    }

    fn measure(&self) {
        let (nodes, blobs) = self.inventory.size();
        let stats = self.store.stats();
        self.metrics.set_peers(self.swarm.connected().len());
        self.metrics.set_inventory(nodes, blobs);
        self.metrics.set_store(self.store.bytes_used(), usize::try_from(stats.blobs).unwrap_or(usize::MAX));
    }
}

impl StatusSource for Watcher {
    fn status(&self) -> Value {
        let (nodes, blobs) = self.inventory.size();
        let stats = self.store.stats();
        json!({
            "node": self.id.to_string(),
            "role": match self.role { Role::Peer => "peer", Role::Seed => "seed" },
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uptime_s": self.clock.now().as_micros() / 1_000_000,
            "connected_nodes": self.swarm.connected().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "inventory": { "nodes": nodes, "blobs": blobs },
            "store": { "blobs": stats.blobs, "bytes": self.store.bytes_used() },
        })
    }
}
