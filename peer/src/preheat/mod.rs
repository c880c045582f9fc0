//! Preheating: this node fetches images before anyone asks for them, or has others do so.
//!
//! [`Preheat`] keeps a bounded table of jobs. Each job is one task, which owns the tasks of its images; all jobs of a
//! node share the same few places for blobs. What a node holds already counts as fetched, so an order that is given
//! again goes on where the last one ended. Nothing is remembered across a restart but what was fetched.
//!
//! A job for several nodes fetches nothing itself: a [`Crew`] asks each node for one image after the other, and what a node
//! is asked for so, [`Asked`] keeps as a job of its own.

mod asked;
mod crew;
mod fleet;
mod image;
mod job;
mod list;
#[cfg(test)]
pub(crate) mod memory;
mod order;
mod places;
mod platform;
mod report;
mod select;
mod source;
mod spread;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use shoal_protocol::{
    identity::NodeId,
    wire::{PreheatOrder, PreheatProgress, Refusal},
};
use tokio_util::sync::CancellationToken;

use asked::Asked;
use crew::Crew;
use job::Job;
use places::Places;
use spread::Chosen;

pub use fleet::{Fleet, Member, Silence};
pub use list::{ListError, images_of};
pub use order::{MAX_IMAGES, Order, OrderError, Request};
pub use platform::{Platform, PlatformError, Platforms};
pub use report::{
    AskedReport, ImageReport, ImageState, JobReport, JobState, JobSummary, Jobs, NodeReport, NodeState,
};
pub use source::{Arrived, Source};
pub use spread::{MAX_NODES, Spread, SpreadError};

/// Jobs that are remembered, running ones included: enough for one to be looked up after it ended, and few enough for
/// their reports, of [`MAX_IMAGES`] images each, to stay small.
const MAX_JOBS: usize = 16;

/// Images times nodes of one order: what is known of each takes some hundred bytes.
const MAX_PARTS: usize = 100_000;

/// The jobs of a node. Clones share them.
#[derive(Clone)]
pub struct Preheat {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn Source>,
    fleet: Arc<dyn Fleet>,
    /// What other nodes have this one fetch.
    asked: Asked,
    places: Places,
    stop: CancellationToken,
    /// Oldest first. A std mutex: held for one look-up or change, never across an await.
    jobs: Mutex<VecDeque<Arc<Job>>>,
    /// Makes ids that another start of the node does not give again.
    ids: RandomState,
    started: AtomicU64,
}

/// Why an order is not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A node runs as many jobs as it remembers.
    #[error("{MAX_JOBS} preheat jobs are running: wait for one to end, or cancel one")]
    TooManyJobs,
    /// There are no such nodes.
    #[error(transparent)]
    Spread(#[from] SpreadError),
    /// More than [`MAX_PARTS`].
    #[error("{images} images on {nodes} nodes are more than {MAX_PARTS} together: split the order")]
    TooMuch {
        /// Images of the order.
        images: usize,
        /// Nodes that it is for.
        nodes: usize,
    },
}

impl Preheat {
    /// No jobs yet. They fetch from `source`, or have nodes of `fleet` fetch, until `stop`.
    pub fn new(source: Arc<dyn Source>, fleet: Arc<dyn Fleet>, stop: CancellationToken) -> Self {
        let shared = Shared {
            source,
            fleet,
            asked: Asked::default(),
            places: Places::default(),
            stop,
            jobs: Mutex::default(),
            ids: RandomState::new(),
            started: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts a job and says how it stands. Needs a tokio runtime.
    ///
    /// # Errors
    /// When too many are running, or there are no such nodes as the order is for. A job that has ended is forgotten for
    /// a new one, the oldest first.
    pub fn start(&self, order: Order) -> Result<JobReport, StartError> {
        let chosen = self.choose(&order)?;
        let mut jobs = self.lock();
        if jobs.len() >= MAX_JOBS {
            let ended = jobs.iter().position(|job| job.has_ended()).ok_or(StartError::TooManyJobs)?;
            jobs.remove(ended);
        }
        let job = Arc::new(Job::new(self.new_number(), order, self.shared.stop.child_token()));
        jobs.push_back(job.clone());
        drop(jobs);
        let report = job.report();
        tracing::info!(job = %report.id, images = report.images.len(), "preheating");
        match chosen {
            None => tokio::spawn(job.run(self.shared.source.clone(), self.shared.places.clone())),
            Some(chosen) => tokio::spawn(Crew::new(job, self.shared.clone()).run(chosen)),
        };
        Ok(report)
    }

    /// All jobs, the oldest first, without their images; and what other nodes ordered.
    pub fn list(&self) -> Jobs {
        let jobs = self.lock().iter().map(|job| job.report().summary()).collect();
        Jobs { jobs, for_others: self.shared.asked.report() }
    }

    /// How a job stands; `None` when there is none of that id, or no longer.
    pub fn report(&self, id: &str) -> Option<JobReport> {
        self.find(id).map(|job| job.report())
    }

    /// Cancels a job, if it has not ended, and says how it stands. Blobs that are on their way may still arrive.
    pub fn cancel(&self, id: &str) -> Option<JobReport> {
        let job = self.find(id)?;
        job.cancel();
        Some(job.report())
    }

    /// Fetches what another node orders, or tells it how far that is.
    ///
    /// # Errors
    /// When the order can't be read, or this node has too many.
    pub fn answer(&self, from: NodeId, order: &PreheatOrder) -> Result<PreheatProgress, Refusal> {
        self.shared.answer(from, order)
    }

    /// The nodes that an order is for; `None` where it is for this one.
    fn choose(&self, order: &Order) -> Result<Option<Chosen>, StartError> {
        let Some(spread) = &order.spread else { return Ok(None) };
        let chosen = spread.choose(&self.shared.fleet.members(), &order.key())?;
        let (images, nodes) = (order.images.len(), chosen.count);
        if images.saturating_mul(nodes) > MAX_PARTS {
            return Err(StartError::TooMuch { images, nodes });
        }
        Ok(Some(chosen))
    }

    fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.lock().iter().find(|job| job.id() == id).cloned()
    }

    fn new_number(&self) -> u64 {
        self.shared.ids.hash_one(self.shared.started.fetch_add(1, Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        // A push or a removal can't leave it half changed.
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn answer(&self, from: NodeId, order: &PreheatOrder) -> Result<PreheatProgress, Refusal> {
        if self.stop.is_cancelled() {
            return Err(Refusal::NotHere);
        }
        self.asked.answer(from, order, &self.source, &self.places, &self.stop)
    }
}
