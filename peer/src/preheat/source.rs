//! Where jobs fetch from.

use futures::future::BoxFuture;
use shoal_protocol::{digest::Digest, reference::ImageName};

use crate::content::{ContentError, Manifests};

/// Is told how many bytes of a blob are here by now.
pub type Arrived<'a> = dyn Fn(u64) + Send + Sync + 'a;

/// What a job fetches through: this node's way to the cluster, and its store. Every wait has a deadline.
pub trait Source: Manifests {
    /// Whether this node holds the whole blob.
    fn holds(&self, digest: &Digest) -> bool;

    /// Fetches a blob, which this node keeps.
    fn fetch<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
        arrived: &'a Arrived<'a>,
    ) -> BoxFuture<'a, Result<(), ContentError>>;
}
