//! Blobs that could not be had a moment ago.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shoal_protocol::digest::Digest;

/// A runtime whose body broke off asks again at once; it gets a clean "not here" for so long and goes to the origin.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Blobs remembered at a time.
const MAX_BLOBS: usize = 1024;

/// Remembers failures for a short time.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    /// A std mutex: held for one look-up or change, never across an await.
    blobs: Mutex<HashMap<Digest, (Instant, String)>>,
}

impl GivenUp {
    pub(super) fn insert(&self, digest: Digest, reason: String) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.retain(|_, (since, _)| since.elapsed() < REMEMBERED);
        if blobs.len() < MAX_BLOBS {
            blobs.insert(digest, (Instant::now(), reason));
        }
    }

    /// Why the blob could not be had, if that was a moment ago.
    pub(super) fn reason(&self, digest: &Digest) -> Option<String> {
        let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, reason) = blobs.get(digest)?;
        (since.elapsed() < REMEMBERED).then(|| reason.clone())
    }
}
