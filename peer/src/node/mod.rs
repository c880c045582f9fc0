//! A node, put together: sockets first, then everything that uses them.

mod addresses;
mod answers;
mod dispatch;
mod origin;
mod setup;
mod start;
mod stop;
mod watch;

use std::{net::SocketAddr, time::Duration};

use shoal_protocol::identity::NodeId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    exchange::ExchangeHandle,
    inventory::InventoryHandle,
    metrics::{Metrics, Source},
    swarm::SwarmHandle,
};

/// Why a node does not start: what is wrong, with what, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

/// A running node.
pub struct Node {
    id: NodeId,
    mirror: SocketAddr,
    swarm_address: SocketAddr,
    admin: SocketAddr,
    metrics: Metrics,
    inventory: InventoryHandle,
    exchange: ExchangeHandle,
    swarm: SwarmHandle,
    /// Ends the mirror: it takes no new requests.
    serving: CancellationToken,
    /// Ends what goes on while the last requests are answered.
    background: CancellationToken,
    mirror_task: JoinHandle<()>,
    background_tasks: Vec<JoinHandle<()>>,
    /// Ends with the swarm.
    dispatcher_task: JoinHandle<()>,
}

impl Node {
    /// This node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where the mirror listens.
    pub fn mirror(&self) -> SocketAddr {
        self.mirror
    }

    /// Where other nodes reach this one.
    pub fn swarm(&self) -> SocketAddr {
        self.swarm_address
    }

    /// Where the admin page is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Bytes of blobs that came from `source` so far.
    pub fn received_bytes(&self, source: Source) -> u64 {
        self.metrics.received_bytes(source)
    }

    /// Waits until a seed is known, for up to `timeout`; false when none is by then.
    pub async fn wait_for_seed(&self, timeout: Duration) -> bool {
        let known = async {
            while !self.inventory.has_seed() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(timeout, known).await.is_ok()
    }
}
