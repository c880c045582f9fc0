//! Who may have how many lanes to this node.

use std::sync::Arc;

use shoal_protocol::identity::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    LaneReceiver, STALL_TIMEOUT, TooManyLanes,
    places::{Place, Places},
};
use crate::{buffers::SharedBuffers, swarm::BoxStream};

/// Lanes of one node at a time: one in use, and old ones that have not been noticed to be dead.
const MAX_LANES_PER_NODE: usize = 4;
/// Lanes of all nodes at a time: each may hold a piece in memory.
const MAX_LANES: usize = 1024;

/// Admits lanes, however they come in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LaneGate {
    per_node: Places<NodeId>,
    total: Arc<Semaphore>,
    buffers: SharedBuffers,
}

/// Counts a lane for as long as it is open.
#[derive(Debug)]
pub(super) struct Admission {
    _of_node: Place<NodeId>,
    _of_all: OwnedSemaphorePermit,
}

impl LaneGate {
    pub(super) fn new() -> Self {
        Self {
            per_node: Places::new(MAX_LANES_PER_NODE),
            total: Arc::new(Semaphore::new(MAX_LANES)),
            buffers: SharedBuffers::default(),
        }
    }

    /// Makes a lane of a stream that `node` opened for it.
    ///
    /// # Errors
    /// When there are too many lanes already.
    pub fn admit(&self, node: NodeId, stream: BoxStream) -> Result<LaneReceiver, TooManyLanes> {
        let of_all = Arc::clone(&self.total).try_acquire_owned().map_err(|_| TooManyLanes(node))?;
        let of_node = self.per_node.take(node).ok_or(TooManyLanes(node))?;
        let admission = Admission { _of_node: of_node, _of_all: of_all };
        Ok(LaneReceiver::new(node, stream, STALL_TIMEOUT, self.buffers.get(), admission))
    }
}
