//! How jobs stand, in the form in which it is told.

use serde::{Deserialize, Serialize};

use super::fleet::Member;

/// All jobs that a node remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// The oldest first.
    pub jobs: Vec<JobSummary>,
    /// What this node fetches, or fetched, because other nodes told it to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_others: Vec<AskedReport>,
}

/// An image of another node's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedReport {
    /// The node that took the order.
    pub node: String,
    /// The image, by its full name.
    pub image: String,
    /// How it stands.
    pub state: ImageState,
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
    /// Those that are whole, on this node or on all nodes of the order.
    pub images_done: usize,
    /// Those that can't be had.
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
    /// The images, in the order's order. Of an order for several nodes, numbers are of all these together.
    pub images: Vec<ImageReport>,
    /// The nodes of an order for several, in the order in which they were begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeReport>,
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

/// A node of a job that is for several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its id.
    pub node: String,
    /// Its zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// How it stands.
    pub state: NodeState,
    /// Why it fell out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Images that it has whole.
    pub images_done: usize,
    /// Images that it can't have.
    pub images_failed: usize,
    /// Bytes of configs and layers that it has.
    pub bytes_done: u64,
    /// Length of all configs and layers, as far as it knows them.
    pub bytes_total: u64,
    /// Some of what failed: the image, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It is at work.
    Fetching,
    /// It has every image.
    Done,
    /// It has ended, and some image failed.
    Failed,
    /// It does not answer, or takes no orders.
    Out,
    /// The job was cancelled before it ended.
    Cancelled,
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

impl NodeReport {
    /// A node that begins.
    pub(super) fn new(member: &Member) -> Self {
        Self {
            node: member.node.to_string(),
            zone: member.zone.clone(),
            state: NodeState::Fetching,
            reason: None,
            images_done: 0,
            images_failed: 0,
            bytes_done: 0,
            bytes_total: 0,
            failures: Vec::new(),
        }
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
