//! Where jobs fetch from.

use futures::future::BoxFuture;
use shoal_protocol::{
    digest::Digest,
    reference::{ImageName, Tag},
};

use crate::content::{ContentError, Manifest, Resolved};

/// Is told how many bytes of a blob are here by now.
pub type Arrived<'a> = dyn Fn(u64) + Send + Sync + 'a;

/// What a job fetches through: this node's way to the cluster, and its store. Every wait has a deadline.
pub trait Source: Send + Sync + 'static {
    /// What `tag` stands for now.
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>>;

    /// The manifest of that digest, which this node keeps.
    fn manifest<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>>;

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
