//! The asking side.

use std::{net::SocketAddr, time::Duration};

use shoal_protocol::{
    bounds::MAX_ANSWER_FRAME_BYTES,
    identity::NodeId,
    wire::{Answer, Query, Refusal},
};

use crate::{
    framed::{self, FrameError},
    swarm::{OpenError, Protocol, SwarmHandle},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The node can't be connected to.
    #[error("node {0} can't be reached")]
    Unreachable(NodeId),
    /// It does not take the query.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The answer broke off or makes no sense.
    #[error("node {node} gave no proper answer: {source}")]
    Frame {
        /// Who was asked.
        node: NodeId,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("node {node} did not answer within {timeout:?}")]
    Timeout {
        /// Who was asked.
        node: NodeId,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// It has no answer.
    #[error("node {node} refused: {refusal:?}")]
    Refused {
        /// Who was asked.
        node: NodeId,
        /// Why not.
        refusal: Refusal,
    },
}

/// Asks `node`, connecting to it at `addresses` if need be. A refusal is an error.
///
/// # Errors
/// When there is no answer within `timeout`, or it is a refusal.
pub async fn ask(
    swarm: &SwarmHandle,
    node: NodeId,
    addresses: Vec<SocketAddr>,
    query: &Query,
    timeout: Duration,
) -> Result<Answer, QueryError> {
    let answered = tokio::time::timeout(timeout, exchange(swarm, node, addresses, query)).await;
    match answered.map_err(|_| QueryError::Timeout { node, timeout })?? {
        Answer::Refused(refusal) => Err(QueryError::Refused { node, refusal }),
        answer => Ok(answer),
    }
}

async fn exchange(
    swarm: &SwarmHandle,
    node: NodeId,
    addresses: Vec<SocketAddr>,
    query: &Query,
) -> Result<Answer, QueryError> {
    if !swarm.reach(node, addresses).await {
        return Err(QueryError::Unreachable(node));
    }
    let mut stream = swarm.open(node, Protocol::Query).await?;
    let broken = |error: FrameError| QueryError::Frame { node, source: error.into() };
    framed::write_message(&mut stream, query).await.map_err(|error| broken(error.into()))?;
    framed::read_message(&mut stream, MAX_ANSWER_FRAME_BYTES).await.map_err(broken)
}
