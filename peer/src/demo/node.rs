//! What the demo asks of a node.

use std::{net::SocketAddr, time::Duration};

use shoal_protocol::membership::Role;

use super::report::Sources;
use crate::{config::Config, metrics::Source, node::Node};

/// A peer that has not met the seed by then never will.
const MEETING: Duration = Duration::from_secs(20);

/// A node in this process.
pub(super) struct DemoNode(Node);

impl DemoNode {
    /// Starts it, and waits until it can serve.
    pub(super) async fn start(role: Role, config: Config) -> Result<Self, String> {
        let node = Node::start(config, role).await.map_err(|error| error.to_string())?;
        if node.wait_for_seed(MEETING).await {
            Ok(Self(node))
        } else {
            Err("it did not meet the seed".into())
        }
    }

    /// Address of its mirror.
    pub(super) fn mirror(&self) -> SocketAddr {
        self.0.mirror()
    }

    /// Address for other nodes.
    pub(super) fn swarm(&self) -> SocketAddr {
        self.0.swarm()
    }

    /// Where its bytes came from so far.
    pub(super) fn sources(&self) -> Sources {
        Sources {
            disk_bytes: self.0.received_bytes(Source::Disk),
            peers_bytes: self.0.received_bytes(Source::Peers),
            seed_bytes: self.0.received_bytes(Source::Seed),
            origin_bytes: self.0.received_bytes(Source::Origin),
        }
    }

    /// Stops it gracefully.
    pub(super) async fn stop(self) {
        self.0.shutdown().await;
    }
}
