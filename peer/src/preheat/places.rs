//! How much of a node preheating takes: little enough for runtimes not to notice.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Blobs fetched at a time, of all jobs. The exchange has room for many more, which the runtimes' own pulls need.
const MAX_BLOBS: usize = 4;
/// Images of all jobs that are being fetched at a time: the next one's manifests come while the last layers of another
/// are on their way.
const MAX_IMAGES: usize = 4;

/// The places that all jobs of a node share. Whoever waits first is first.
#[derive(Clone)]
pub(super) struct Places {
    images: Arc<Semaphore>,
    blobs: Arc<Semaphore>,
}

/// A taken place, free again when dropped. Always some, as nothing closes the semaphores.
pub(super) type Place = Option<OwnedSemaphorePermit>;

impl Default for Places {
    fn default() -> Self {
        Self { images: Arc::new(Semaphore::new(MAX_IMAGES)), blobs: Arc::new(Semaphore::new(MAX_BLOBS)) }
    }
}

impl Places {
    /// Waits for a place for an image.
    pub(super) async fn for_image(&self) -> Place {
        self.images.clone().acquire_owned().await.ok()
    }

    /// Waits for a place for a blob.
    pub(super) async fn for_blob(&self) -> Place {
        self.blobs.clone().acquire_owned().await.ok()
    }
}
