//! One image of a job: its tag, its manifests, its blobs.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use shoal_protocol::{digest::Digest, reference::Reference};
use tokio::task::{JoinError, JoinSet};

use super::{
    job::Job,
    places::{Place, Places},
    report::ImageState,
    select::select,
    source::Source,
};
use crate::{
    content::ContentError,
    document::{Document, DocumentError, ListedBlob},
    reference::ImageReference,
};

/// How often something is tried: nobody waits on the other end, and an origin or a seed may be back in a moment.
const TRIES: u32 = 3;
/// Pause before the second try; the next one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// Manifests and indexes of one image: more than there are platforms, and an end to indexes that lead on and on.
const MAX_DOCUMENTS: usize = 128;

/// The work on one image.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) job: Arc<Job>,
    /// Its place in the job.
    pub(super) index: usize,
    pub(super) image: ImageReference,
    pub(super) source: Arc<dyn Source>,
    pub(super) places: Places,
}

/// Why an image is not here as it was wanted.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{what}: {error}")]
    Content { what: String, error: ContentError },
    #[error("{digest}: {error}")]
    Document { digest: String, error: DocumentError },
    #[error("the index has nothing for {}; it has {}", missing.join(", "), offered.join(", "))]
    Platforms { missing: Vec<String>, offered: Vec<String> },
    #[error("its indexes lead to more than {MAX_DOCUMENTS} manifests")]
    TooManyDocuments,
    #[error("its index leads to no manifest")]
    Nothing,
    #[error("a task of this node failed: {0}")]
    Task(#[from] JoinError),
}

/// What an image is made of, as far as it is wanted.
#[derive(Default)]
struct Parts {
    blobs: Vec<ListedBlob>,
    missing: Vec<String>,
    offered: Vec<String>,
}

impl Fetch {
    /// Fetches the image, and notes how it goes and ends.
    pub(super) async fn run(self) {
        let outcome = self.fetch().await;
        self.job.update(self.index, |image| match outcome {
            Ok(()) => image.state = ImageState::Done,
            Err(error) => {
                image.state = ImageState::Failed;
                image.reason = Some(error.to_string());
            }
        });
    }

    async fn fetch(&self) -> Result<(), FetchError> {
        self.job.update(self.index, |image| image.state = ImageState::Resolving);
        let digest = self.resolve().await?;
        self.job.update(self.index, |image| image.digest = Some(digest.to_string()));
        let Parts { blobs, missing, offered } = self.parts(digest).await?;
        let (held, lacking): (Vec<_>, Vec<_>) =
            blobs.iter().copied().partition(|blob| self.source.holds(&blob.digest));
        self.begin_blobs(&blobs, &held);
        self.fetch_blobs(lacking).await?;
        if missing.is_empty() { Ok(()) } else { Err(FetchError::Platforms { missing, offered }) }
    }

    async fn resolve(&self) -> Result<Digest, FetchError> {
        let name = &self.image.name;
        match &self.image.reference {
            Reference::Digest(digest) => Ok(*digest),
            Reference::Tag(tag) => {
                let resolved = persist(|| self.source.resolve(name, tag)).await;
                resolved.map(|resolved| resolved.digest).map_err(failed(format!("tag {tag}")))
            }
        }
    }

    /// Reads the manifest, or an index and what of it is wanted.
    async fn parts(&self, root: Digest) -> Result<Parts, FetchError> {
        let mut parts = Parts::default();
        let mut listed = BTreeSet::new();
        let mut seen = BTreeSet::from([root]);
        let mut waiting = VecDeque::from([root]);
        while let Some(digest) = waiting.pop_front() {
            let wrong = |error| FetchError::Document { digest: digest.to_string(), error };
            match self.document(digest).await? {
                Document::Manifest(manifest) => {
                    let blobs = manifest.blobs().collect::<Result<Vec<_>, _>>().map_err(wrong)?;
                    parts.blobs.extend(blobs.into_iter().filter(|blob| listed.insert(blob.digest)));
                }
                Document::Index(entries) => {
                    let selection = select(&entries, self.job.platforms());
                    for text in selection.digests {
                        let digest = text.parse().map_err(|_| wrong(no_digest(text)))?;
                        if seen.insert(digest) {
                            waiting.push_back(digest);
                        }
                    }
                    parts.missing.extend(selection.missing);
                    parts.offered.extend(selection.offered);
                }
            }
            if seen.len() > MAX_DOCUMENTS {
                return Err(FetchError::TooManyDocuments);
            }
        }
        match (parts.blobs.is_empty(), parts.missing.is_empty()) {
            (true, true) => Err(FetchError::Nothing),
            _ => Ok(parts),
        }
    }

    async fn document(&self, digest: Digest) -> Result<Document, FetchError> {
        let manifest = persist(|| self.source.manifest(&self.image.name, &digest)).await;
        let manifest = manifest.map_err(failed(format!("manifest {digest}")))?;
        Document::parse(&manifest.bytes)
            .map_err(|error| FetchError::Document { digest: digest.to_string(), error })
    }

    fn begin_blobs(&self, all: &[ListedBlob], held: &[ListedBlob]) {
        let len_bytes =
            |blobs: &[ListedBlob]| blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size_bytes));
        self.job.update(self.index, |image| {
            image.state = ImageState::Fetching;
            (image.blobs_done, image.blobs_total) = (held.len(), all.len());
            (image.bytes_done, image.bytes_total) = (len_bytes(held), len_bytes(all));
        });
    }

    /// Fetches blobs as there are places, in their order. The first that fails ends it.
    async fn fetch_blobs(&self, blobs: Vec<ListedBlob>) -> Result<(), FetchError> {
        let mut fetching = JoinSet::new();
        for blob in blobs {
            let place = self.places.for_blob().await;
            while let Some(ended) = fetching.try_join_next() {
                ended??;
            }
            fetching.spawn(self.clone().fetch_blob(blob, place));
        }
        while let Some(ended) = fetching.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn fetch_blob(self, blob: ListedBlob, _place: Place) -> Result<(), FetchError> {
        let counted_bytes = AtomicU64::new(0);
        let count = |now_bytes: u64| {
            let before_bytes = counted_bytes.swap(now_bytes, Ordering::Relaxed);
            self.job.update(self.index, |image| {
                image.bytes_done = image.bytes_done.saturating_sub(before_bytes).saturating_add(now_bytes);
            });
        };
        // A length that the manifest has wrong must not show more than there is.
        let arrived = |arrived_bytes: u64| count(arrived_bytes.min(blob.size_bytes));
        let fetched = persist(|| self.source.fetch(&self.image.name, &blob.digest, &arrived)).await;
        fetched.map_err(failed(format!("blob {}", blob.digest)))?;
        count(blob.size_bytes);
        self.job.update(self.index, |image| image.blobs_done += 1);
        Ok(())
    }
}

/// Tries a few times, but not against the origin's word.
async fn persist<'a, T>(
    attempt: impl Fn() -> BoxFuture<'a, Result<T, ContentError>>,
) -> Result<T, ContentError> {
    let mut tried = 0;
    loop {
        let outcome = attempt().await;
        tried += 1;
        match &outcome {
            Err(error) if !error.is_final() && tried < TRIES => tokio::time::sleep(PAUSE * tried).await,
            _ => return outcome,
        }
    }
}

fn failed(what: String) -> impl FnOnce(ContentError) -> FetchError {
    |error| FetchError::Content { what, error }
}

fn no_digest(text: &str) -> DocumentError {
    DocumentError::Malformed(format!("it lists {text:?}, which is no digest"))
}
