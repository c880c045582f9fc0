//! One job: its images, a few at a time, and how they stand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    image::Fetch,
    order::Order,
    places::Places,
    platform::Platforms,
    report::{ImageReport, ImageState, JobReport, JobState, NodeState},
    source::Source,
    tally::Tally,
};

pub(super) struct Job {
    number: u64,
    id: String,
    order: Order,
    cancelled: CancellationToken,
    /// A std mutex: held for one look or change, never across an await.
    standing: Mutex<Standing>,
}

struct Standing {
    report: JobReport,
    /// What the nodes of an order for several told.
    tally: Tally,
}

impl Job {
    /// A job that ends early once `cancelled` is.
    pub(super) fn new(number: u64, order: Order, cancelled: CancellationToken) -> Self {
        let id = format!("{number:016x}");
        let platforms =
            if order.spread.is_some() { order.named_platforms.clone() } else { order.platforms.names() };
        let report = JobReport {
            id: id.clone(),
            state: JobState::Running,
            platforms,
            images: order.images.iter().map(|image| ImageReport::waiting(image.to_string())).collect(),
            nodes: Vec::new(),
        };
        let standing = Standing { report, tally: Tally::default() };
        Self { number, id, order, cancelled, standing: Mutex::new(standing) }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn order(&self) -> &Order {
        &self.order
    }

    pub(super) const fn cancellation(&self) -> &CancellationToken {
        &self.cancelled
    }

    pub(super) fn platforms(&self) -> &Platforms {
        &self.order.platforms
    }

    pub(super) fn report(&self) -> JobReport {
        self.lock().report.clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().report.state.is_end()
    }

    /// Ends the job now, unless it has ended.
    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
        self.end(JobState::Cancelled);
    }

    /// Changes how one image stands; nothing once the job has ended.
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut ImageReport)) {
        let mut standing = self.lock();
        if !standing.report.state.is_end()
            && let Some(image) = standing.report.images.get_mut(index)
        {
            change(image);
        }
    }

    /// Changes how the nodes stand; nothing once the job has ended.
    pub(super) fn tally<T>(&self, change: impl FnOnce(&mut Tally, &mut JobReport) -> T) -> Option<T> {
        let Standing { report, tally } = &mut *self.lock();
        (!report.state.is_end()).then(|| change(tally, report))
    }

    /// Fetches everything, until the job is cancelled.
    pub(super) async fn run(self: Arc<Self>, source: Arc<dyn Source>, places: Places) {
        let cancelled = self.cancelled.clone();
        match cancelled.run_until_cancelled(self.fetch_images(&source, &places)).await {
            Some(()) => self.end(JobState::Done),
            None => self.end(JobState::Cancelled),
        }
        self.log_end();
    }

    /// Every image has ended that could.
    pub(super) fn finish(&self) {
        self.end(JobState::Done);
        self.log_end();
    }

    fn log_end(&self) {
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
        let Standing { report, .. } = &mut *self.lock();
        if report.state.is_end() {
            return;
        }
        for node in report.nodes.iter_mut().filter(|node| node.state == NodeState::Fetching) {
            node.state = NodeState::Cancelled;
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

    fn lock(&self) -> MutexGuard<'_, Standing> {
        // A change of counters can't leave the report unusable.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
