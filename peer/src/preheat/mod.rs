//! Preheating: this node fetches images before anyone asks for them.
//!
//! [`Preheat`] keeps a bounded table of jobs. Each job is one task, which owns the tasks of its images; all jobs of a
//! node share the same few places for blobs. What a node holds already counts as fetched, so an order that is given
//! again goes on where the last one ended. Nothing is remembered across a restart but what was fetched.

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

use tokio_util::sync::CancellationToken;

use job::Job;
use places::Places;

pub use list::{ListError, images_of};
pub use order::{MAX_IMAGES, Order, OrderError, Request};
pub use platform::{Platform, PlatformError, Platforms};
pub use report::{ImageReport, ImageState, JobReport, JobState, JobSummary, Jobs};
pub use source::{Arrived, Source};

/// Jobs that are remembered, running ones included: enough for one to be looked up after it ended, and few enough for
/// their reports, of [`MAX_IMAGES`] images each, to stay small.
const MAX_JOBS: usize = 16;

/// The jobs of a node. Clones share them.
#[derive(Clone)]
pub struct Preheat {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn Source>,
    places: Places,
    stop: CancellationToken,
    /// Oldest first. A std mutex: held for one look-up or change, never across an await.
    jobs: Mutex<VecDeque<Arc<Job>>>,
    /// Makes ids that another start of the node does not give again.
    ids: RandomState,
    started: AtomicU64,
}

/// A node runs as many jobs as it remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_JOBS} preheat jobs are running: wait for one to end, or cancel one")]
pub struct TooManyJobs;

impl Preheat {
    /// No jobs yet. They fetch from `source`, until `stop`.
    pub fn new(source: Arc<dyn Source>, stop: CancellationToken) -> Self {
        let shared = Shared {
            source,
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
    /// When too many are running. One that has ended is forgotten instead, the oldest first.
    pub fn start(&self, order: Order) -> Result<JobReport, TooManyJobs> {
        let mut jobs = self.lock();
        if jobs.len() >= MAX_JOBS {
            let ended = jobs.iter().position(|job| job.has_ended()).ok_or(TooManyJobs)?;
            jobs.remove(ended);
        }
        let job = Arc::new(Job::new(self.new_id(), order, self.shared.stop.child_token()));
        jobs.push_back(job.clone());
        drop(jobs);
        let report = job.report();
        tracing::info!(job = %report.id, images = report.images.len(), "preheating");
        tokio::spawn(job.run(self.shared.source.clone(), self.shared.places.clone()));
        Ok(report)
    }

    /// All jobs, the oldest first, without their images.
    pub fn list(&self) -> Jobs {
        Jobs { jobs: self.lock().iter().map(|job| job.report().summary()).collect() }
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

    fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.lock().iter().find(|job| job.id() == id).cloned()
    }

    fn new_id(&self) -> String {
        format!("{:016x}", self.shared.ids.hash_one(self.shared.started.fetch_add(1, Ordering::Relaxed)))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        // A push or a removal can't leave it half changed.
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
