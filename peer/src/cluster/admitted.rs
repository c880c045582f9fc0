//! Manifests that a seed handed to this node although a policy requires a signature of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shoal_protocol::{digest::Digest, reference::ImageName};

/// How long a seed's word counts: as long as the seed itself remembers a signature.
const COUNTS_FOR: Duration = Duration::from_secs(24 * 3600);
/// Most manifests that are remembered; one more, and all are asked about again.
const MAX_ENTRIES: usize = 20_000;

/// Since this node started, so that a policy that was changed counts for what the store holds, too.
#[derive(Default)]
pub(super) struct Admitted(Mutex<HashMap<(ImageName, Digest), Instant>>);

impl Admitted {
    pub(super) fn has(&self, image: &ImageName, digest: &Digest) -> bool {
        let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.get(&(image.clone(), *digest)).is_some_and(|since| since.elapsed() < COUNTS_FOR)
    }

    pub(super) fn note(&self, image: &ImageName, digest: &Digest) {
        let mut admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= MAX_ENTRIES {
            admitted.clear();
        }
        admitted.insert((image.clone(), *digest), Instant::now());
    }
}
