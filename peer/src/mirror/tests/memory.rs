//! Content in memory, which can also break off, stall or fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference, Tag},
    wire::ClientLogin,
};
use tokio::sync::Semaphore;

use crate::content::{Blob, Content, ContentError, Interrupted, Listed, Manifest, Manifests, Resolved};

/// How a blob ends once it has given `after_bytes`.
#[derive(Clone)]
pub(super) enum Ending {
    Whole,
    /// It is interrupted.
    Breaks {
        after_bytes: u64,
    },
    /// It is interrupted once the semaphore has a permit.
    BreaksWhenTold {
        after_bytes: u64,
        told: Arc<Semaphore>,
    },
    /// Its stream just ends.
    Short {
        after_bytes: u64,
    },
    /// Nothing comes any more.
    Stalls {
        after_bytes: u64,
    },
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    chunk_bytes: usize,
    ending: Ending,
}

#[derive(Clone, Default)]
pub(super) struct Memory {
    tags: BTreeMap<(String, String), Resolved>,
    manifests: BTreeMap<Digest, Manifest>,
    blobs: BTreeMap<Digest, Stored>,
    errors: BTreeMap<Digest, ContentError>,
    /// By image, list and query: `docker.io/library/app tags/list n=1`.
    lists: BTreeMap<String, Result<Listed, ContentError>>,
    /// Nothing is ever found.
    hangs: bool,
    /// Streams and look-ups that are under way.
    pub(super) open: Arc<AtomicUsize>,
    /// The manifests that passed.
    pub(super) passed: Arc<Mutex<Vec<Digest>>>,
    /// Who may pull what, by image and user; nobody's name is the cluster's.
    pub(super) allowed: Arc<Mutex<BTreeSet<(String, String)>>>,
    /// How often the origin was asked for its word.
    pub(super) asked: Arc<AtomicUsize>,
}

impl Memory {
    pub(super) fn tag(mut self, image: &str, tag: &str, media_type: &str, document: &[u8]) -> Self {
        let manifest = manifest(media_type, document);
        self.tags.insert(
            (image.into(), tag.into()),
            Resolved {
                media_type: media_type.into(),
                digest: manifest.digest,
                size_bytes: document.len() as u64,
                stale: None,
            },
        );
        self.manifests.insert(manifest.digest, manifest);
        self
    }

    pub(super) fn stale(mut self, age: Duration) -> Self {
        self.tags.values_mut().for_each(|resolved| resolved.stale = Some(age));
        self
    }

    pub(super) fn blob(self, content: &[u8]) -> Self {
        self.blob_that(content, 1000, Ending::Whole)
    }

    pub(super) fn blob_that(mut self, content: &[u8], chunk_bytes: usize, ending: Ending) -> Self {
        let stored = Stored { bytes: Bytes::copy_from_slice(content), chunk_bytes, ending };
        self.blobs.insert(digest(content), stored);
        self
    }

    pub(super) fn allows(self, image: &str, user: &str) -> Self {
        self.allowed.lock().unwrap().insert((image.into(), user.into()));
        self
    }

    pub(super) fn lists(mut self, asked: &str, listed: Result<Listed, ContentError>) -> Self {
        self.lists.insert(asked.into(), listed);
        self
    }

    pub(super) fn that_hangs() -> Self {
        Self { hangs: true, ..Self::default() }
    }

    pub(super) fn fails(mut self, digest: Digest, error: ContentError) -> Self {
        self.errors.insert(digest, error);
        self
    }

    async fn look_up<T>(&self, digest: Option<&Digest>, found: Option<T>) -> Result<T, ContentError> {
        let _open = Open::new(&self.open);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if let Some(error) = digest.and_then(|digest| self.errors.get(digest)) {
            return Err(error.clone());
        }
        found.ok_or_else(|| ContentError::NotHere("nobody has it".into()))
    }
}

/// Bytes that differ everywhere.
pub(super) fn noise(len_bytes: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(len_bytes).collect()
}

pub(super) fn digest(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

fn manifest(media_type: &str, document: &[u8]) -> Manifest {
    Manifest {
        media_type: media_type.into(),
        digest: digest(document),
        bytes: Bytes::copy_from_slice(document),
    }
}

impl Manifests for Memory {
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>> {
        let found = self.tags.get(&(image.to_string(), tag.to_string())).cloned();
        self.look_up(None, found).boxed()
    }

    fn manifest<'a>(
        &'a self,
        _: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>> {
        self.look_up(Some(digest), self.manifests.get(digest).cloned()).boxed()
    }
}

impl Content for Memory {
    fn stat<'a>(&'a self, _: &'a ImageName, digest: &'a Digest) -> BoxFuture<'a, Result<u64, ContentError>> {
        self.look_up(Some(digest), self.blobs.get(digest).map(|stored| stored.bytes.len() as u64)).boxed()
    }

    fn blob<'a>(
        &'a self,
        _: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Box<dyn Blob>, ContentError>> {
        let open = self.open.clone();
        let found = self.blobs.get(digest).cloned();
        self.look_up(Some(digest), found.map(|stored| Box::new(Reader { stored, open }) as Box<dyn Blob>))
            .boxed()
    }

    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Listed, ContentError>> {
        let found = self.lists.get(&format!("{image} {listing} {}", query.as_str())).cloned();
        async move { self.look_up(None, found).await? }.boxed()
    }

    fn permission<'a>(
        &'a self,
        image: &'a ImageName,
        _: &'a Reference,
        login: Option<&'a ClientLogin>,
    ) -> BoxFuture<'a, Result<(), ContentError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let who = login.map_or("", |login| &login.username);
        let is_allowed = self.allowed.lock().unwrap().contains(&(image.to_string(), who.to_owned()));
        let verdict = if is_allowed { Ok(()) } else { Err(ContentError::Denied("not yours".into())) };
        futures::future::ready(verdict).boxed()
    }

    fn manifest_passed(&self, _: &ImageName, manifest: &Manifest) {
        self.passed.lock().unwrap().push(manifest.digest);
    }
}

struct Reader {
    stored: Stored,
    open: Arc<AtomicUsize>,
}

impl Blob for Reader {
    fn len_bytes(&self) -> u64 {
        self.stored.bytes.len() as u64
    }

    fn read(self: Box<Self>, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Interrupted>> {
        let Stored { bytes, chunk_bytes, ending } = self.stored;
        let open = Open::new(&self.open);
        let due = bytes.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap());
        let given_bytes = match &ending {
            Ending::Whole => due.len() as u64,
            Ending::Breaks { after_bytes }
            | Ending::BreaksWhenTold { after_bytes, .. }
            | Ending::Short { after_bytes }
            | Ending::Stalls { after_bytes } => *after_bytes,
        };
        let given = due.slice(..due.len().min(usize::try_from(given_bytes).unwrap()));
        let chunks: Vec<_> = given.chunks(chunk_bytes).map(|chunk| Ok(given.slice_ref(chunk))).collect();
        let end = async move {
            let broken = Some(Err(Interrupted("cut by the test".into())));
            match ending {
                Ending::Whole | Ending::Short { .. } => None,
                Ending::Breaks { .. } => broken,
                Ending::BreaksWhenTold { told, .. } => {
                    told.acquire_owned().await.unwrap().forget();
                    broken
                }
                Ending::Stalls { .. } => std::future::pending().await,
            }
        };
        let end = stream::once(end).filter_map(|end| async { end });
        stream::iter(chunks)
            .chain(end)
            .map(move |chunk| {
                let _ = &open;
                chunk
            })
            .boxed()
    }
}

/// Counts as one in the counter while it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
