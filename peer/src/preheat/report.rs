//! How jobs stand, in the form in which it is told.

use serde::{Deserialize, Serialize};

/// All jobs that a node remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// The oldest first.
    pub jobs: Vec<JobSummary>,
}

/// A job without its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSummary {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: JobState,
    /// Images of the order.
    pub images_total: usize,
    /// Those that this node has whole.
    pub images_done: usize,
    /// Those that it can't have.
    pub images_failed: usize,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: JobState,
    /// What is fetched of images for several platforms: `all`, or platforms.
    pub platforms: Vec<String>,
    /// The images, in the order's order.
    pub images: Vec<ImageReport>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It goes on.
    Running,
    /// Every image is here.
    Done,
    /// It has ended, and some image failed.
    Failed,
    /// It was cancelled before its end, by request or because the node stops.
    Cancelled,
}

/// An image of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    /// Its full name.
    pub image: String,
    /// How it stands.
    pub state: ImageState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its tag stands for, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Configs and layers that this node has.
    pub blobs_done: usize,
    /// All its configs and layers; 0 until they are known.
    pub blobs_total: usize,
    /// Bytes of configs and layers that this node has.
    pub bytes_done: u64,
    /// Length of all its configs and layers; 0 until it is known.
    pub bytes_total: u64,
}

/// How an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageState {
    /// Its turn has not come.
    Waiting,
    /// Its manifests are being asked for.
    Resolving,
    /// Its blobs are coming.
    Fetching,
    /// This node has all of it.
    Done,
    /// It can't be had, or not all of it.
    Failed,
    /// The job was cancelled before.
    Cancelled,
}

impl JobReport {
    /// The same without the images.
    pub fn summary(&self) -> JobSummary {
        JobSummary {
            id: self.id.clone(),
            state: self.state,
            images_total: self.images.len(),
            images_done: self.count(ImageState::Done),
            images_failed: self.count(ImageState::Failed),
        }
    }

    /// Images that stand so.
    pub fn count(&self, state: ImageState) -> usize {
        self.images.iter().filter(|image| image.state == state).count()
    }
}

impl JobState {
    /// Nothing changes any more.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Running)
    }
}

impl ImageReport {
    /// An image whose turn has not come.
    pub(super) fn waiting(image: String) -> Self {
        Self {
            image,
            state: ImageState::Waiting,
            reason: None,
            digest: None,
            blobs_done: 0,
            blobs_total: 0,
            bytes_done: 0,
            bytes_total: 0,
        }
    }
}

impl ImageState {
    /// Nothing changes any more.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}
