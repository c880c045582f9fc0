//! One job: its images, a few at a time, and how they stand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    image::Fetch,
    order::Order,
    places::Places,
    platform::Platforms,
    report::{ImageReport, ImageState, JobReport, JobState},
    source::Source,
};

pub(super) struct Job {
    id: String,
    order: Order,
    cancelled: CancellationToken,
    /// A std mutex: held for one look or change, never across an await.
    report: Mutex<JobReport>,
}

impl Job {
    /// A job that ends early once `cancelled` is.
    pub(super) fn new(id: String, order: Order, cancelled: CancellationToken) -> Self {
        let report = JobReport {
            id: id.clone(),
            state: JobState::Running,
            platforms: order.platforms.names(),
            images: order.images.iter().map(|image| ImageReport::waiting(image.to_string())).collect(),
        };
        Self { id, order, cancelled, report: Mutex::new(report) }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn platforms(&self) -> &Platforms {
        &self.order.platforms
    }

    pub(super) fn report(&self) -> JobReport {
        self.lock().clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().state.is_end()
    }

    /// Ends the job now, unless it has ended.
    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
        self.end(JobState::Cancelled);
    }

    /// Changes how one image stands; nothing once the job has ended.
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut ImageReport)) {
        let mut report = self.lock();
        if !report.state.is_end()
            && let Some(image) = report.images.get_mut(index)
        {
            change(image);
        }
    }

    /// Fetches everything, until the job is cancelled.
    pub(super) async fn run(self: Arc<Self>, source: Arc<dyn Source>, places: Places) {
        let cancelled = self.cancelled.clone();
        match cancelled.run_until_cancelled(self.fetch_images(&source, &places)).await {
            Some(()) => self.end(JobState::Done),
            None => self.end(JobState::Cancelled),
        }
        let ended = self.report().summary();
        tracing::info!(
            job = %ended.id, state = ?ended.state, done = ended.images_done, failed = ended.images_failed,
            "preheating has ended"
        );
    }

    async fn fetch_images(self: &Arc<Self>, source: &Arc<dyn Source>, places: &Places) {
        // Its tasks end with it, when the job is cancelled.
        let mut images = JoinSet::new();
        for (index, image) in self.order.images.iter().enumerate() {
            let place = places.for_image().await;
            while images.try_join_next().is_some() {}
            let fetch = Fetch {
                job: self.clone(),
                index,
                image: image.clone(),
                source: source.clone(),
                places: places.clone(),
            };
            images.spawn(async move {
                fetch.run().await;
                drop(place);
            });
        }
        while images.join_next().await.is_some() {}
    }

    /// Nothing changes any more. What has not ended by itself was cancelled.
    fn end(&self, state: JobState) {
        let mut report = self.lock();
        if report.state.is_end() {
            return;
        }
        for image in report.images.iter_mut().filter(|image| !image.state.is_end()) {
            image.state = ImageState::Cancelled;
        }
        let all_done = report.count(ImageState::Done) == report.images.len();
        report.state = match state {
            JobState::Done if !all_done => JobState::Failed,
            state => state,
        };
    }

    fn lock(&self) -> MutexGuard<'_, JobReport> {
        // A change of counters can't leave the report unusable.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
