//! What the swarm tells the rest of the node.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use shoal_protocol::{identity::NodeId, wire};
use tokio::io::{AsyncRead, AsyncWrite};

/// What the swarm tells.
pub enum SwarmEvent {
    /// A node is connected.
    Connected {
        /// The node.
        node: NodeId,
    },
    /// The last connection to a node is gone.
    Disconnected {
        /// The node.
        node: NodeId,
    },
    /// A node published a message; its signature is verified.
    Gossip {
        /// Who wrote it, however many relayed it.
        from: NodeId,
        /// The message.
        data: Bytes,
    },
    /// A node opened a stream to this one.
    Stream {
        /// The other end.
        from: NodeId,
        /// What it speaks.
        protocol: Protocol,
        /// The stream.
        stream: BoxStream,
    },
    /// This node can be reached here, as far as it knows itself; loopback addresses included.
    Listening {
        /// The address.
        address: SocketAddr,
    },
}

/// What is spoken on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The exchange's control messages.
    Control,
    /// Pieces, where no lane of its own can be opened.
    Lane,
    /// One question and its answer.
    Query,
}

/// Both directions of a connection, whatever carries it.
pub trait AsyncReadWrite: AsyncRead + AsyncWrite {}

impl<T: AsyncRead + AsyncWrite> AsyncReadWrite for T {}

/// A stream to another node.
pub type BoxStream = Box<dyn AsyncReadWrite + Send + Unpin>;

/// What was refused or dropped since the start.
#[derive(Debug, Default)]
pub struct SwarmCounters {
    refused_connections: AtomicU64,
    dropped_events: AtomicU64,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Control, Self::Lane, Self::Query];
}

impl AsRef<str> for Protocol {
    fn as_ref(&self) -> &str {
        match self {
            Self::Control => wire::CONTROL_PROTOCOL,
            Self::Lane => wire::LANE_PROTOCOL,
            Self::Query => wire::QUERY_PROTOCOL,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_ref())
    }
}

impl fmt::Debug for SwarmEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { node } => write!(f, "Connected({node})"),
            Self::Disconnected { node } => write!(f, "Disconnected({node})"),
            Self::Gossip { from, data } => write!(f, "Gossip({from}, {} bytes)", data.len()),
            Self::Stream { from, protocol, .. } => write!(f, "Stream({from}, {protocol})"),
            Self::Listening { address } => write!(f, "Listening({address})"),
        }
    }
}

impl SwarmCounters {
    /// Connections of others that failed to prove their membership, or for which there was no room.
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }

    /// Gossip messages and streams dropped because nobody took the events in time.
    pub fn dropped_events(&self) -> u64 {
        self.dropped_events.load(Ordering::Relaxed)
    }

    pub(super) fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_dropped_event(&self) {
        self.dropped_events.fetch_add(1, Ordering::Relaxed);
    }
}
