//! Fetches blobs from other nodes and serves them: the exchange machine with its sockets, files and threads.
//!
//! One task (`task`) owns the machine and the tables of blobs and neighbours; everything else sends it events and
//! carries out what it decides:
//! - `control` keeps a stream of messages in each direction to each neighbour;
//! - `lanes` sends and receives pieces, and verifies them off the reactor;
//! - `serving` reads the pieces that others get;
//! - `transfer` is what readers see of a blob that is being fetched;
//! - `authoring` pulls from the origin, on seeds;
//! - `resume` verifies again what an earlier run left.

mod authoring;
mod control;
mod event;
mod lanes;
mod resume;
mod serving;
mod task;
mod transfer;

use std::sync::Arc;

use shoal_protocol::{
    digest::Digest,
    exchange::{Fault, ReaderId},
    geometry::PieceIndex,
    identity::{NodeId, NodeKey},
    membership::{ClusterKey, RoleToken},
    reference::ImageName,
};
use shoal_seed::pull::Puller;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock::Clock,
    inventory::InventoryHandle,
    lane::{LaneListener, LaneReceiver, Verifier},
    metrics::Metrics,
    secure::Credentials,
    store::Store,
    swarm::{BoxStream, SwarmHandle},
};
use event::Event;

pub use transfer::{Fetching, Progress};

/// Events that may wait for the task: what waits beyond slows down whoever sends.
const MAX_EVENTS: usize = 4096;

/// What the exchange works with.
pub struct ExchangeParts {
    /// The node's clock.
    pub clock: Clock,
    /// The node's key and the cluster's.
    pub credentials: Credentials,
    /// Connections to other nodes.
    pub swarm: SwarmHandle,
    /// Who has what.
    pub inventory: InventoryHandle,
    /// Where blobs are kept.
    pub store: Store,
    /// What is counted.
    pub metrics: Metrics,
    /// On a seed: how it gets blobs from origins.
    pub seed: Option<SeedParts>,
    /// Seed of the machine's random choices.
    pub random_seed: u64,
}

/// What makes a node a seed.
#[derive(Clone)]
pub struct SeedParts {
    /// Pulls blobs from origins.
    pub puller: Arc<Puller>,
    /// Proves to others that this node is a seed.
    pub token: RoleToken,
}

/// Asks the exchange's task. Cheap to clone.
#[derive(Clone)]
pub struct ExchangeHandle {
    events: mpsc::Sender<Event>,
}

/// The exchange has stopped: the node is shutting down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node is shutting down")]
pub struct Stopped;

/// What the exchange's parts share.
struct Shared {
    clock: Clock,
    credentials: Credentials,
    swarm: SwarmHandle,
    inventory: InventoryHandle,
    store: Store,
    metrics: Metrics,
    seed: Option<SeedParts>,
    verifier: Verifier,
}

impl ExchangeHandle {
    /// Starts the exchange; lanes that others open come in through `lanes`.
    pub fn start(parts: ExchangeParts, lanes: LaneListener) -> Self {
        let (events, incoming) = mpsc::channel(MAX_EVENTS);
        let shared = Arc::new(Shared {
            clock: parts.clock,
            credentials: parts.credentials,
            swarm: parts.swarm,
            inventory: parts.inventory,
            store: parts.store,
            metrics: parts.metrics,
            seed: parts.seed,
            verifier: Verifier::default(),
        });
        let task = task::Task::new(shared, events.clone(), parts.random_seed);
        tokio::spawn(task.run(incoming, lanes));
        Self { events }
    }

    /// Fetches a blob, or joins the fetch that is under way; `None` when it is in the store by now.
    ///
    /// # Errors
    /// When the node is shutting down.
    pub async fn fetch(&self, digest: Digest, image: ImageName) -> Result<Option<Fetching>, Stopped> {
        let (reply, progress) = oneshot::channel();
        self.tell(Event::Fetch { digest, image, reply }).await;
        let progress = progress.await.map_err(|_| Stopped)?;
        Ok(progress.map(|progress| Fetching::new(digest, progress, self.clone())))
    }

    /// A member opened a control stream.
    pub async fn handle_control(&self, from: NodeId, stream: BoxStream) {
        self.tell(Event::ControlStream { from, stream }).await;
    }

    /// A member opened a lane on a stream of the swarm.
    pub async fn handle_lane(&self, lane: LaneReceiver) {
        self.tell(Event::Lane { lane }).await;
    }

    /// A node broke a rule outside the exchange's own messages.
    pub async fn handle_fault(&self, node: NodeId, fault: Fault) {
        self.tell(Event::Fault { node, fault }).await;
    }

    /// The connection to a node broke.
    pub async fn handle_disconnected(&self, node: NodeId) {
        self.tell(Event::Disconnected { node }).await;
    }

    /// Tells everyone goodbye and stops.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.tell(Event::Stop { done }).await;
        // An error means that it has stopped already.
        let _ = stopped.await;
    }

    /// A reader waits for a piece, or is done.
    fn note_reader(&self, digest: Digest, reader: ReaderId, next: Option<PieceIndex>) {
        // A hint: when the task is that busy, the reader goes without priority.
        let _ = self.events.try_send(Event::Reader { digest, reader, next });
    }

    async fn tell(&self, event: Event) {
        // After the task has stopped there is nobody to tell.
        let _ = self.events.send(event).await;
    }
}

impl Shared {
    fn key(&self) -> &NodeKey {
        self.credentials.key()
    }

    fn cluster(&self) -> &ClusterKey {
        self.credentials.cluster()
    }
}

/// What a fetch shows to its readers.
type ProgressReceiver = watch::Receiver<Progress>;
