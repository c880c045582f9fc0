//! Which index lists a manifest: remembered across restarts, and believed only when it turns out to be so.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde::Deserialize;
use shoal_protocol::{digest::Digest, reference::ImageName};

use super::{Proof, Signatures, Verdict};

/// Remembers for a manifest the index that it was seen in. Best effort: what it loses is found again when the index is
/// asked for.
pub trait Parents: Send + Sync {
    /// The index that was saved last for `listed`.
    fn load<'a>(&'a self, image: &'a ImageName, listed: &'a Digest) -> BoxFuture<'a, Option<Digest>>;

    /// Remembers that `index` lists `listed`.
    fn save<'a>(&'a self, image: &'a ImageName, listed: &'a Digest, index: &'a Digest) -> BoxFuture<'a, ()>;
}

impl Signatures {
    /// A valid verdict by way of the index that `digest` was last seen in, if that lists it still and is signed.
    pub(super) async fn through_parent(
        &self,
        place: usize,
        image: &ImageName,
        digest: &Digest,
        depth: usize,
    ) -> Option<Verdict> {
        let depth = depth.checked_sub(1)?;
        let index = self.parents.load(image, digest).await?;
        let document = self.origins.manifest(image, &index).await.ok()?;
        if index == *digest || !listed(&document.bytes).contains(digest) {
            return None;
        }
        // The future holds itself: an index in an index is judged as the index is.
        match Box::pin(self.verdict(place, image, &index, depth)).await {
            Verdict::Valid(_) => Some(Verdict::Valid(Proof::ListedBy(index))),
            _ => None,
        }
    }
}

/// What an index lists; nothing, if it is none.
pub(super) fn listed(index: &[u8]) -> BTreeSet<Digest> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        digest: String,
    }
    let read = serde_json::from_slice::<Index>(index);
    let entries = read.map_or_else(|_| Vec::new(), |index| index.manifests);
    entries.iter().filter_map(|entry| entry.digest.parse().ok()).collect()
}
