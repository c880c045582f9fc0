//! A connection that only two members of the cluster can have: TLS 1.3 in which both ends prove their node key, then
//! a proof that both know the cluster key, bound to that very TLS session. Nothing else is said before.
//!
//! The same handshake guards the swarm's port and the lanes'. The initiator proves first, so a stranger who connects
//! gets a TLS handshake, a version and a nonce, and learns nothing more.

mod identity;
mod lane;
mod proof;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{ClientConfig, ServerConfig};
use shoal_protocol::{
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsStream;

pub(crate) use identity::{keypair, node_id, peer_id};
pub(crate) use lane::{LaneStream, accept_lane, connect_lane};
pub(crate) use socket::tune;

/// How long the whole handshake may take. A member on a loaded machine needs a fraction of it, and a stranger holds
/// a slot no longer than this.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// An authenticated, encrypted connection between two members.
pub type SecureStream<S> = TlsStream<S>;

/// What a node proves itself with. Cheap to clone.
#[derive(Clone)]
pub struct Credentials(Arc<Secrets>);

struct Secrets {
    key: NodeKey,
    cluster: ClusterKey,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// For lanes; differ only where those may go on in plaintext.
    lane_client: Arc<ClientConfig>,
    lane_server: Arc<ServerConfig>,
}

/// Why a node's credentials can't be made ready for TLS.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a TLS certificate for this node's key: {0}")]
pub struct CredentialsError(String);

/// Why a connection to another node was not secured.
#[derive(Debug, thiserror::Error)]
pub enum SecureError {
    /// TLS itself failed: the other side is not a Shoal node, or its certificate is not valid.
    #[error("TLS handshake failed: {0}; is there a Shoal node at that address?")]
    Tls(#[source] io::Error),
    /// Another node answered than the one expected.
    #[error("expected node {expected}, but node {found} answered: its address may have changed hands")]
    WrongNode {
        /// The node that was called.
        expected: NodeId,
        /// The node that answered.
        found: NodeId,
    },
    /// The other side's proof is not one of this cluster.
    #[error("node {node} proved another cluster key: compare cluster_key_file on both nodes")]
    WrongClusterKey {
        /// The other side.
        node: NodeId,
    },
    /// The other side closed the connection when it saw this node's proof.
    #[error("node {node} refused this node's proof: compare cluster_key_file on both nodes ({source})")]
    Refused {
        /// The other side.
        node: NodeId,
        /// How the connection ended.
        source: io::Error,
    },
    /// The other side speaks another version of the handshake.
    #[error(
        "node {node} speaks version {theirs} of the handshake, this node version {}: run the same release",
        proof::VERSION
    )]
    Version {
        /// The other side.
        node: NodeId,
        /// The version it named.
        theirs: u8,
    },
    /// The other side was too slow.
    #[error("the handshake was not done within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The connection broke.
    #[error("the connection broke during the handshake: {0}")]
    Io(#[source] io::Error),
}

impl Credentials {
    /// Credentials of the node with this key, in the cluster with that one.
    ///
    /// # Errors
    /// When no certificate can be made, for want of randomness.
    pub fn new(key: NodeKey, cluster: ClusterKey) -> Result<Self, CredentialsError> {
        Self::with_lanes(key, cluster, false)
    }

    /// The same for a node whose lanes go on in plaintext after the handshake, where the other side has that on, too.
    ///
    /// # Errors
    /// When no certificate can be made, for want of randomness.
    pub fn with_plaintext_lanes(key: NodeKey, cluster: ClusterKey) -> Result<Self, CredentialsError> {
        Self::with_lanes(key, cluster, true)
    }

    fn with_lanes(key: NodeKey, cluster: ClusterKey, plaintext: bool) -> Result<Self, CredentialsError> {
        let (client, server) = tls::configs(&key)?;
        let (client, server) = (Arc::new(client), Arc::new(server));
        let (lane_client, lane_server) = if plaintext {
            let (client, server) = tls::allow_plaintext(&client, &server);
            (Arc::new(client), Arc::new(server))
        } else {
            (Arc::clone(&client), Arc::clone(&server))
        };
        Ok(Self(Arc::new(Secrets { key, cluster, client, server, lane_client, lane_server })))
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.0.key.node_id()
    }

    /// This node's key.
    pub fn key(&self) -> &NodeKey {
        &self.0.key
    }

    /// The cluster's key.
    pub fn cluster(&self) -> &ClusterKey {
        &self.0.cluster
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.node_id())
    }
}

/// Secures `io`, which this node opened. With `expected`, no other node will do.
///
/// # Errors
/// When the other side is no member, not the expected node, or too slow.
pub async fn connect<S>(
    io: S,
    credentials: &Credentials,
    expected: Option<NodeId>,
) -> Result<(NodeId, SecureStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connect_by(&credentials.0.client, io, credentials, expected).await
}

async fn connect_by<S>(
    config: &Arc<ClientConfig>,
    io: S,
    credentials: &Credentials,
    expected: Option<NodeId>,
) -> Result<(NodeId, SecureStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async {
        let (node, mut stream) = tls::connect(io, Arc::clone(config)).await?;
        if let Some(expected) = expected.filter(|&expected| expected != node) {
            return Err(SecureError::WrongNode { expected, found: node });
        }
        proof::initiate(&mut stream, credentials, node).await?;
        Ok((node, stream))
    };
    within(HANDSHAKE_TIMEOUT, handshake).await
}

/// Secures `io`, which another node opened.
///
/// # Errors
/// When the other side is no member, or too slow.
pub async fn accept<S>(io: S, credentials: &Credentials) -> Result<(NodeId, SecureStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_within(HANDSHAKE_TIMEOUT, &credentials.0.server, io, credentials).await
}

async fn accept_within<S>(
    timeout: Duration,
    config: &Arc<ServerConfig>,
    io: S,
    credentials: &Credentials,
) -> Result<(NodeId, SecureStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async {
        let (node, mut stream) = tls::accept(io, Arc::clone(config)).await?;
        proof::respond(&mut stream, credentials, node).await?;
        Ok((node, stream))
    };
    within(timeout, handshake).await
}

async fn within<T>(
    timeout: Duration,
    handshake: impl Future<Output = Result<T, SecureError>>,
) -> Result<T, SecureError> {
    tokio::time::timeout(timeout, handshake).await.unwrap_or(Err(SecureError::Timeout(timeout)))
}
