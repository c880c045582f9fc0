//! A cluster in memory: what it has is put in first, and fetches can be held up or made to fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    identity::NodeId,
    reference::{ImageName, Tag},
    wire::{PreheatOrder, PreheatProgress},
};
use tokio::sync::Semaphore;

use super::{
    fleet::{Fleet, Member, Silence},
    source::{Arrived, Source},
};
use crate::content::{ContentError, Manifest, Manifests, Resolved};

/// A place for every blob of a test.
const ALL: usize = 10_000;
const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) struct Memory {
    tags: BTreeMap<String, Digest>,
    documents: BTreeMap<Digest, Vec<u8>>,
    held: Mutex<BTreeSet<Digest>>,
    fetched: Mutex<Vec<Digest>>,
    /// What goes wrong with a digest, the next thing last.
    faults: Mutex<BTreeMap<Digest, Vec<ContentError>>>,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tags: BTreeMap::new(),
            documents: BTreeMap::new(),
            held: Mutex::default(),
            fetched: Mutex::default(),
            faults: Mutex::default(),
            places: Semaphore::new(ALL),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Memory {
    /// Adds a manifest of so many blobs, a config included, of 1000 bytes each.
    pub(crate) fn image(&mut self, name: &str, blobs: usize) -> (Digest, Vec<Digest>) {
        let blobs: Vec<Digest> =
            (0..blobs).map(|index| digest(format!("{name} {index}").as_bytes())).collect();
        let listed: Vec<Value> =
            blobs.iter().map(|blob| json!({ "digest": blob.to_string(), "size": 1000 })).collect();
        (self.document(&json!({ "config": listed[0], "layers": listed[1..] })), blobs)
    }

    /// Adds any document.
    pub(crate) fn document(&mut self, document: &Value) -> Digest {
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        self.documents.insert(digest, bytes);
        digest
    }

    /// Gives a document a name, `docker.io/library/app:v1`.
    pub(crate) fn tag(&mut self, name: &str, document: Digest) {
        self.tags.insert(name.to_owned(), document);
    }

    /// Lets the next attempts at a digest fail, in this order.
    pub(crate) fn fail(&self, digest: Digest, mut errors: Vec<ContentError>) {
        errors.reverse();
        self.faults.lock().unwrap().insert(digest, errors);
    }

    /// No blob comes until `release`.
    pub(crate) fn hold(&self) {
        self.places.forget_permits(ALL);
    }

    pub(crate) fn release(&self) {
        self.places.add_permits(ALL);
    }

    /// Forgets every blob.
    pub(crate) fn forget_blobs(&self) {
        self.held.lock().unwrap().clear();
    }

    /// Fetches that are being held.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The blobs that were fetched, each as often as it was begun.
    pub(crate) fn fetched(&self) -> Vec<Digest> {
        self.fetched.lock().unwrap().clone()
    }

    fn fault(&self, digest: &Digest) -> Result<(), ContentError> {
        let error = self.faults.lock().unwrap().get_mut(digest).and_then(Vec::pop);
        error.map_or(Ok(()), Err)
    }
}

impl Manifests for Memory {
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>> {
        Box::pin(async move {
            let digest = *self.tags.get(&format!("{image}:{tag}")).ok_or(ContentError::NotFound)?;
            let size_bytes = self.documents[&digest].len() as u64;
            Ok(Resolved { media_type: MEDIA_TYPE.into(), digest, size_bytes, stale: None })
        })
    }

    fn manifest<'a>(
        &'a self,
        _: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>> {
        Box::pin(async move {
            self.fault(digest)?;
            let bytes = self.documents.get(digest).ok_or(ContentError::NotFound)?.clone().into();
            Ok(Manifest { media_type: MEDIA_TYPE.into(), digest: *digest, bytes })
        })
    }
}

impl Source for Memory {
    fn holds(&self, digest: &Digest) -> bool {
        self.held.lock().unwrap().contains(digest)
    }

    fn fetch<'a>(
        &'a self,
        _: &'a ImageName,
        digest: &'a Digest,
        arrived: &'a Arrived<'a>,
    ) -> BoxFuture<'a, Result<(), ContentError>> {
        Box::pin(async move {
            self.fetched.lock().unwrap().push(*digest);
            arrived(400);
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let place = self.places.acquire().await.unwrap();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            drop(place);
            self.fault(digest)?;
            arrived(1024);
            self.held.lock().unwrap().insert(*digest);
            Ok(())
        })
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Nobody else.
impl Fleet for Memory {
    fn me(&self) -> NodeId {
        NodeId([0; 32])
    }

    fn members(&self) -> Vec<Member> {
        vec![Member { node: self.me(), zone: String::new() }]
    }

    fn ask<'a>(&'a self, _: NodeId, _: &'a PreheatOrder) -> BoxFuture<'a, Result<PreheatProgress, Silence>> {
        Box::pin(async { Err(Silence::NoAnswer("there is nobody else".into())) })
    }
}
