//! What the mirror serves from, whatever stands behind it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use shoal_protocol::{
    digest::Digest,
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference, Tag},
    wire::ClientLogin,
};

/// What a tag stands for, or the head of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Media type, exactly as the origin gave it.
    pub media_type: String,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Length of the manifest.
    pub size_bytes: u64,
    /// How old the answer is, when the origin could not be asked now.
    pub stale: Option<Duration>,
}

/// A manifest or an index, its digest verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Media type, exactly as the origin gave it.
    pub media_type: String,
    /// Digest of `bytes`.
    pub digest: Digest,
    /// The document, byte for byte.
    pub bytes: Bytes,
}

/// A list of a repository, or a page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The JSON document, byte for byte as the origin gave it.
    pub document: Bytes,
    /// The filters that the origin applied (`OCI-Filters-Applied`).
    pub filters: Option<String>,
    /// What the next page is asked for by, where there is one.
    pub next: Option<ListQuery>,
    /// How old it is, when the origin could not be asked now.
    pub stale: Option<Duration>,
}

/// Why content can't be served here. None of these is the end for a runtime: it goes on to the origin by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Nobody in the cluster has it, and no seed can get it in time.
    #[error("not here: {0}")]
    NotHere(String),
    /// The origin says that it does not exist.
    #[error("the origin does not have it")]
    NotFound,
    /// The origin, or Shoal's own allow-list, denies it.
    #[error("access denied: {0}")]
    Denied(String),
    /// A policy requires a signature, and it has none that counts.
    #[error("{0}")]
    Unsigned(String),
    /// This node has reached a bound.
    #[error("this node is busy: {0}")]
    Overloaded(&'static str),
}

/// A body broke off: nothing wrong was sent, but the rest can't be had here in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// The bytes of a blob, all of them verified before they come out.
pub trait Blob: Send {
    /// Length of the whole blob.
    fn len_bytes(&self) -> u64;

    /// The bytes in `range`, which lies within the blob, as they become available.
    fn read(self: Box<Self>, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Interrupted>>;
}

/// Where names and manifests are found. Every answer comes within a deadline.
pub trait Manifests: Send + Sync + 'static {
    /// What `tag` stands for now.
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>>;

    /// The manifest of that digest.
    fn manifest<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>>;
}

/// Where the mirror gets what it serves. Every answer comes within a deadline.
pub trait Content: Manifests {
    /// The length of a blob.
    fn stat<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<u64, ContentError>>;

    /// A blob, as soon as its length is known.
    fn blob<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Box<dyn Blob>, ContentError>>;

    /// What a repository lists, as far as `query` asks for it.
    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Listed, ContentError>>;

    /// Succeeds if the origin, asked now, gives the manifest `wanted` to whoever has `login`; without one, to the
    /// cluster itself.
    fn permission<'a>(
        &'a self,
        image: &'a ImageName,
        wanted: &'a Reference,
        login: Option<&'a ClientLogin>,
    ) -> BoxFuture<'a, Result<(), ContentError>>;

    /// A runtime on this node is being given `manifest`, so it will ask for the blobs that are listed there. A hint,
    /// which takes no time.
    fn manifest_passed(&self, image: &ImageName, manifest: &Manifest);
}
