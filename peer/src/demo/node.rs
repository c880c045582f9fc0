//! What the demo asks of a node.

use std::{convert::Infallible, future, net::SocketAddr};

use shoal_protocol::membership::Role;

use crate::config::Config;

use super::report::Sources;

/// A node in this process.
pub(super) struct DemoNode(Infallible);

impl DemoNode {
    /// Starts it, and waits until it can serve.
    pub(super) async fn start(role: Role, _config: Config) -> Result<Self, String> {
        future::ready(Err(format!("this build can't run as {role:?}"))).await
    }

    /// Address of its mirror.
    pub(super) fn mirror(&self) -> SocketAddr {
        match self.0 {}
    }

    /// Address for other nodes.
    pub(super) fn swarm(&self) -> SocketAddr {
        match self.0 {}
    }

    /// Where its bytes came from so far.
    pub(super) fn sources(&self) -> Sources {
        match self.0 {}
    }

    /// Stops it gracefully.
    pub(super) async fn stop(self) {
        match self.0 {}
    }
}
