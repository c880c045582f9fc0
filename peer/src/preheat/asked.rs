//! Orders of other nodes: each is one image, fetched for as long as its node asks about it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shoal_protocol::{
    bounds::MAX_REASON_BYTES,
    identity::NodeId,
    wire::{PreheatOrder, PreheatProgress, PreheatState, Refusal},
};
use tokio_util::sync::CancellationToken;

use super::{
    job::Job,
    order::Order,
    places::Places,
    platform::Platforms,
    report::{AskedReport, ImageReport, ImageState},
    source::Source,
};
use crate::reference::ImageReference;

/// Images of all other nodes' orders that are remembered, ended ones included. Few are fetched at a time; the others
/// wait for their turn.
const MAX_ASKED: usize = 64;
/// What nobody asks about for so long is not wanted any more: the node that wanted it is gone, or was told to stop.
const LEASE: Duration = Duration::from_secs(45);

/// The orders that this node has of others. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Asked {
    /// Oldest first. A std mutex: held for one look-up or change, never across an await.
    tasks: Arc<Mutex<VecDeque<Task>>>,
}

/// Whose order it is, and which of theirs.
type Key = (NodeId, u64, u32);

#[derive(Clone)]
struct Task {
    key: Key,
    job: Arc<Job>,
    /// When it was last asked about.
    asked_at: Arc<Mutex<Instant>>,
}

impl Asked {
    /// Starts or cancels what `from` orders, or looks how far it is.
    ///
    /// # Errors
    /// When the order names no platform, or too many are being fetched.
    pub(super) fn answer(
        &self,
        from: NodeId,
        order: &PreheatOrder,
        source: &Arc<dyn Source>,
        places: &Places,
        stop: &CancellationToken,
    ) -> Result<PreheatProgress, Refusal> {
        let key = (from, order.job, order.place);
        let mut tasks = self.lock();
        if let Some(task) = tasks.iter().find(|task| task.key == key) {
            task.touch();
            if order.cancel {
                task.job.cancel();
            }
            return Ok(progress(&task.job));
        }
        let cancelled = stop.child_token();
        let task = Task::new(key, order, cancelled)?;
        if order.cancel {
            task.job.cancel();
            return Ok(progress(&task.job));
        }
        if tasks.len() >= MAX_ASKED {
            let ended = tasks.iter().position(|task| task.job.has_ended()).ok_or(Refusal::Busy)?;
            tasks.remove(ended);
        }
        tasks.push_back(task.clone());
        drop(tasks);
        tracing::info!(%from, image = %order.image, "preheating for another node");
        tokio::spawn(task.clone().run(Arc::clone(source), places.clone()));
        Ok(progress(&task.job))
    }

    /// What is remembered, the oldest first.
    pub(super) fn report(&self) -> Vec<AskedReport> {
        let tasks = self.lock().clone();
        let images = tasks.iter().map(|task| (task.key.0, image(&task.job)));
        images
            .map(|(from, ImageReport { image, state, .. })| AskedReport {
                node: from.to_string(),
                image,
                state,
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn new(key: Key, order: &PreheatOrder, cancelled: CancellationToken) -> Result<Self, Refusal> {
        let platforms: Vec<String> = order.platforms.iter().map(|name| name.0.clone()).collect();
        let platforms = Platforms::parse(&platforms).map_err(|_| Refusal::Malformed)?;
        let image = ImageReference { name: order.image.clone(), reference: order.reference.clone() };
        let order = Order::here(vec![image], platforms);
        let job = Arc::new(Job::new(key.1, order, cancelled));
        Ok(Self { key, job, asked_at: Arc::new(Mutex::new(Instant::now())) })
    }

    /// Fetches the image, until it is whole, cancelled, or not asked about any more.
    async fn run(self, source: Arc<dyn Source>, places: Places) {
        let forgotten = async {
            while self.silent() < LEASE {
                tokio::time::sleep(LEASE / 4).await;
            }
        };
        let mut fetching = std::pin::pin!(Arc::clone(&self.job).run(source, places));
        tokio::select! {
            () = &mut fetching => return,
            () = forgotten => self.job.cancel(),
        }
        fetching.await;
    }

    fn silent(&self) -> Duration {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn touch(&self) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The one image of the job.
fn image(job: &Job) -> ImageReport {
    job.report().images.into_iter().next().unwrap_or_else(|| ImageReport::waiting(String::new()))
}

fn progress(job: &Job) -> PreheatProgress {
    let image = image(job);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    PreheatProgress {
        state: match image.state {
            ImageState::Waiting | ImageState::Resolving | ImageState::Fetching => PreheatState::Running,
            ImageState::Done => PreheatState::Done,
            ImageState::Failed => PreheatState::Failed,
            ImageState::Cancelled => PreheatState::Cancelled,
        },
        reason: image.reason.as_deref().map(printable),
        digest: image.digest.and_then(|digest| digest.parse().ok()),
        blobs_done: count(image.blobs_done),
        blobs_total: count(image.blobs_total),
        bytes_done: image.bytes_done,
        bytes_total: image.bytes_total,
    }
}

/// A reason as it may travel: it can quote what a registry sent.
fn printable(reason: &str) -> String {
    let shown = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    reason.chars().map(shown).take(MAX_REASON_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_travels_as_plain_text() {
        assert_eq!(printable("blob \u{1b}[31m: größer\n"), "blob ?[31m: gr??er?");
        assert_eq!(printable(&"x".repeat(5000)).len(), MAX_REASON_BYTES);
    }
}
