//! What the rest of the node asks of the swarm.

use std::{
    collections::BTreeSet,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shoal_protocol::{bounds::MAX_ANNOUNCEMENT_BYTES, identity::NodeId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{BoxStream, Protocol, SwarmCounters, streams::OpenReply};

/// A stream that is not open by then won't be of use to anyone.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A node that is not connected by then is not there.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Talks to the swarm's task. Cheap to clone; when the last one is dropped, the swarm stops.
#[derive(Clone)]
pub struct SwarmHandle {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

/// What the task shows to its handles.
#[derive(Default)]
pub(super) struct Shared {
    /// A std mutex: held for one look-up or copy, never across an await.
    connected: Mutex<BTreeSet<NodeId>>,
    pub(super) counters: Arc<SwarmCounters>,
}

/// What a handle asks of the task.
pub(super) enum Command {
    Dial {
        node: Option<NodeId>,
        addresses: Vec<SocketAddr>,
    },
    /// Like `Dial`; the reply is dropped when the node can't be connected to.
    Reach {
        node: NodeId,
        addresses: Vec<SocketAddr>,
        reply: oneshot::Sender<()>,
    },
    Learn {
        node: NodeId,
        addresses: Vec<SocketAddr>,
    },
    Disconnect {
        node: NodeId,
    },
    Publish {
        data: Vec<u8>,
        reply: oneshot::Sender<Result<(), PublishError>>,
    },
    Open {
        node: NodeId,
        protocol: Protocol,
        reply: OpenReply,
    },
    Stop {
        done: oneshot::Sender<()>,
    },
}

/// A stream was not opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open a {protocol} stream to node {node}: {reason}")]
pub struct OpenError {
    /// The node at the other end.
    pub node: NodeId,
    /// What was to be spoken.
    pub protocol: Protocol,
    /// Why not.
    #[source]
    pub reason: OpenReason,
}

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenReason {
    /// Streams need a connection: dial first.
    #[error("not connected to it")]
    NotConnected,
    /// Too many streams to it are being opened.
    #[error("too many streams are being opened to it already")]
    Busy,
    /// The other side does not speak the protocol.
    #[error("it does not speak this protocol: does it run another release?")]
    Unsupported,
    /// The other side did not answer in time.
    #[error("it did not answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
    /// The swarm has stopped.
    #[error("this node's swarm has stopped")]
    Stopped,
}

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Longer than [`MAX_ANNOUNCEMENT_BYTES`].
    #[error("a gossip message of {0} bytes: the most is {MAX_ANNOUNCEMENT_BYTES}")]
    TooLong(usize),
    /// Gossip has no room for it now.
    #[error("gossip refused the message: {0}")]
    Refused(String),
    /// The swarm has stopped.
    #[error("this node's swarm has stopped")]
    Stopped,
}

impl SwarmHandle {
    pub(super) fn new(node: NodeId, commands: mpsc::Sender<Command>) -> Self {
        Self { node, commands, shared: Arc::default() }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Connects to `node` at the first of `addresses` that works, unless it is connected already, and remembers
    /// them; without a node, to whoever is at each of them. The outcome is an event, or nothing.
    pub async fn dial(&self, node: Option<NodeId>, addresses: Vec<SocketAddr>) {
        self.tell(Command::Dial { node, addresses }).await;
    }

    /// Connects to `node` like [`Self::dial`], and says whether it is connected in the end.
    pub async fn reach(&self, node: NodeId, addresses: Vec<SocketAddr>) -> bool {
        if self.is_connected(&node) {
            return true;
        }
        let (reply, outcome) = oneshot::channel();
        self.tell(Command::Reach { node, addresses, reply }).await;
        matches!(tokio::time::timeout(REACH_TIMEOUT, outcome).await, Ok(Ok(())))
    }

    /// Remembers where `node` can be reached, without connecting now.
    pub async fn learn(&self, node: NodeId, addresses: Vec<SocketAddr>) {
        self.tell(Command::Learn { node, addresses }).await;
    }

    /// Closes all connections to `node`.
    pub async fn disconnect(&self, node: NodeId) {
        self.tell(Command::Disconnect { node }).await;
    }

    /// Gossips `data` to everyone. With nobody there it succeeds: whoever comes later asks for a snapshot.
    ///
    /// # Errors
    /// When the message is too long, there is no room, or the swarm has stopped.
    pub async fn publish(&self, data: Vec<u8>) -> Result<(), PublishError> {
        if data.len() > MAX_ANNOUNCEMENT_BYTES {
            return Err(PublishError::TooLong(data.len()));
        }
        let (reply, outcome) = oneshot::channel();
        self.tell(Command::Publish { data, reply }).await;
        outcome.await.unwrap_or(Err(PublishError::Stopped))
    }

    /// Opens a stream to a connected node.
    ///
    /// # Errors
    /// When the node is not connected, does not speak the protocol, or is too slow.
    pub async fn open(&self, node: NodeId, protocol: Protocol) -> Result<BoxStream, OpenError> {
        let (reply, outcome) = oneshot::channel();
        self.tell(Command::Open { node, protocol, reply }).await;
        let reason = match tokio::time::timeout(OPEN_TIMEOUT, outcome).await {
            Ok(Ok(Ok(stream))) => return Ok(Box::new(stream.compat())),
            Ok(Ok(Err(reason))) => reason,
            Ok(Err(_)) if self.commands.is_closed() => OpenReason::Stopped,
            Ok(Err(_)) => OpenReason::NotConnected,
            Err(_) => OpenReason::Timeout,
        };
        Err(OpenError { node, protocol, reason })
    }

    /// The nodes connected now.
    pub fn connected(&self) -> Vec<NodeId> {
        self.shared.connected().iter().copied().collect()
    }

    /// True when `node` is connected now.
    pub fn is_connected(&self, node: &NodeId) -> bool {
        self.shared.connected().contains(node)
    }

    /// What was refused or dropped since the start.
    pub fn counters(&self) -> &SwarmCounters {
        &self.shared.counters
    }

    /// Sends what is under way, closes all connections, and saves the table of known nodes.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.tell(Command::Stop { done }).await;
        // An error means that it has stopped already.
        let _ = stopped.await;
    }

    async fn tell(&self, command: Command) {
        // After the swarm has stopped, requests with an answer fail, and the others have no effect.
        let _ = self.commands.send(command).await;
    }
}

impl Shared {
    /// The nodes connected now.
    pub(super) fn connected(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SwarmHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwarmHandle({})", self.node)
    }
}
