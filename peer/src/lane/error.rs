//! What can go wrong on a lane.

use std::{fmt, io, net::SocketAddr, time::Duration};

use shoal_protocol::{
    identity::NodeId,
    wire::{LaneHeader, WireError},
};

use crate::swarm::OpenError;

/// Why a lane broke. It is of no use afterwards.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// What stands where a header should be is none.
    #[error("not a piece's header: {0}")]
    Malformed(#[source] WireError),
    /// The lane ended within a header.
    #[error("the lane ended within a header")]
    CutHeader,
    /// The lane ended within a piece.
    #[error("the lane ended after {received_bytes} of {} bytes of piece {}", header.len_bytes, header.piece)]
    CutPiece {
        /// The piece.
        header: LaneHeader,
        /// What came of it.
        received_bytes: usize,
    },
    /// The piece to send could not be read.
    #[error("a piece could not be read: {0}")]
    Source(#[source] io::Error),
    /// Nothing moved for too long.
    #[error("no byte moved for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// No way to a node could carry a lane.
#[derive(Debug, thiserror::Error)]
#[error("cannot open a lane to node {node}: {}{fallback}", Attempts(.attempts))]
pub struct LaneOpenError {
    /// The node.
    pub node: NodeId,
    /// What went wrong at each of its lane addresses.
    pub attempts: Vec<(SocketAddr, String)>,
    /// Why the swarm has no stream either.
    #[source]
    pub fallback: OpenError,
}

/// A node has as many lanes to this one as it may have, or all nodes together have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {0} has too many lanes to this node open")]
pub struct TooManyLanes(pub NodeId);

struct Attempts<'a>(&'a [(SocketAddr, String)]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(address, reason)| write!(f, "{address}: {reason}; "))
    }
}
