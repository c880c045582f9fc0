//! What a swarm starts with.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::secure::Credentials;

/// What a swarm starts with.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    /// This node's key and the cluster's.
    pub credentials: Credentials,
    /// Where to listen; a wildcard address stands for every interface, and port 0 for any port.
    pub listen: Vec<SocketAddr>,
    /// Nodes to begin with, `host:port`; a name stands for all its addresses.
    pub bootstrap: Vec<String>,
    /// Where known nodes are remembered for the next start.
    pub peer_table: Option<PathBuf>,
    /// Most connections at a time. Each costs some 100 KiB.
    pub max_connections: u32,
    /// While fewer nodes than this are connected, known ones are dialled without being asked to.
    pub target_connections: usize,
}

/// Why a swarm does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A bootstrap entry is no `host:port`.
    #[error("bootstrap entry {0:?} is not host:port, such as \"seed.example:5021\" or \"10.0.0.1:5021\"")]
    Bootstrap(String),
    /// libp2p refuses what it was configured with.
    #[error("cannot set up the swarm: {0}")]
    Setup(String),
}

impl SwarmConfig {
    /// A configuration that listens nowhere and knows nobody.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            listen: Vec::new(),
            bootstrap: Vec::new(),
            peer_table: None,
            max_connections: 2048,
            target_connections: 12,
        }
    }
}
