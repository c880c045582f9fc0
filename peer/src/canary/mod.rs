//! The canary: a tiny image, made for one pull, that shows whether this pull comes here.
//!
//! `shoal doctor` has the runtime pull it by a tag that was never used before. Invariants:
//! - What ends in [`REPOSITORY`] is nobody else's: it is never looked for at an origin, nor in the cluster.
//! - An image is known from [`Canaries::start`] until [`Canaries::end`], for a minute at most, and there are few.

mod image;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shoal_protocol::{
    digest::Digest,
    reference::{ImageName, Reference, RegistryHost},
};

use self::image::TinyImage;

/// The name of the image, in whichever registry, and below whatever a runtime puts before it.
pub const REPOSITORY: &str = "shoal-canary";
/// One for each runtime of a host, and as many again for a second doctor.
const MAX_CANARIES: usize = 8;
/// Longer than a doctor waits for a pull.
const LIFETIME: Duration = Duration::from_secs(60);
/// Registries that are told apart in one sighting; a pull is of one.
const MAX_REGISTRIES: usize = 4;

/// The canaries of a node. Clones share them.
///
/// The lock is a short one and never held across a wait.
#[derive(Clone, Debug, Default)]
pub struct Canaries(Arc<Mutex<BTreeMap<String, Canary>>>);

#[derive(Debug)]
struct Canary {
    image: TinyImage,
    started: Instant,
    seen: BTreeMap<RegistryHost, Seen>,
}

/// What a node saw of a canary.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Requests by the registry that they named.
    pub registries: BTreeMap<String, Seen>,
}

/// Requests that came.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// For the manifest, by tag or by digest.
    pub manifests: u32,
    /// For its configuration or its layer.
    pub blobs: u32,
}

/// Why there is no new canary.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// Others are on their way.
    #[error("{MAX_CANARIES} canaries are on their way; the oldest is forgotten within a minute")]
    TooMany,
    /// No tag could be thought of, or no image made.
    #[error("no canary can be made: {0}")]
    NotMade(String),
}

/// A manifest or a blob of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) media_type: &'static str,
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Canaries {
    /// Makes an image with a tag that was never used before, and returns the tag.
    ///
    /// # Errors
    /// When there are too many already, or the system has no randomness.
    pub fn start(&self) -> Result<String, CanaryError> {
        let tag =
            format!("{:016x}", getrandom::u64().map_err(|error| CanaryError::NotMade(error.to_string()))?);
        let image = TinyImage::new(&tag).map_err(|error| CanaryError::NotMade(error.to_string()))?;
        let mut canaries = self.lock();
        if canaries.len() >= MAX_CANARIES {
            return Err(CanaryError::TooMany);
        }
        canaries.insert(tag.clone(), Canary { image, started: Instant::now(), seen: BTreeMap::new() });
        Ok(tag)
    }

    /// What was seen of the canary with this tag; `None` where there is no such canary any more.
    pub fn sighting(&self, tag: &str) -> Option<Sighting> {
        let canaries = self.lock();
        let seen = canaries.get(tag)?.seen.iter();
        Some(Sighting { registries: seen.map(|(host, seen)| (host.to_string(), *seen)).collect() })
    }

    /// Forgets a canary. Returns whether there was one.
    pub fn end(&self, tag: &str) -> bool {
        self.lock().remove(tag).is_some()
    }

    /// The manifest that `reference` names, and notes that somebody asked for it.
    pub(crate) fn manifest(&self, image: &ImageName, reference: &Reference) -> Option<Part> {
        let is_named = |tag: &str, canary: &Canary| match reference {
            Reference::Tag(wanted) => wanted.as_str() == tag,
            Reference::Digest(digest) => canary.image.manifest().digest == *digest,
        };
        let mut canaries = self.lock();
        let (_, canary) = canaries.iter_mut().find(|(tag, canary)| is_named(tag, canary))?;
        canary.note(&image.registry, |seen| &mut seen.manifests);
        Some(canary.image.manifest().clone())
    }

    /// The blob with this digest, and notes that somebody asked for it.
    pub(crate) fn blob(&self, image: &ImageName, digest: &Digest) -> Option<Part> {
        let mut canaries = self.lock();
        let canary = canaries.values_mut().find(|canary| canary.image.blob(digest).is_some())?;
        canary.note(&image.registry, |seen| &mut seen.blobs);
        canary.image.blob(digest).cloned()
    }

    /// Those whose time is not over.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Canary>> {
        // One insert can't leave the map half changed, so it is as good after a panic elsewhere.
        let mut canaries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        canaries.retain(|_, canary| canary.started.elapsed() < LIFETIME);
        canaries
    }
}

impl Canary {
    fn note(&mut self, registry: &RegistryHost, count: impl Fn(&mut Seen) -> &mut u32) {
        if self.seen.len() < MAX_REGISTRIES || self.seen.contains_key(registry) {
            let count = count(self.seen.entry(registry.clone()).or_default());
            *count = count.saturating_add(1);
        }
    }
}

impl Sighting {
    /// All requests together.
    pub fn total(&self) -> Seen {
        self.registries.values().fold(Seen::default(), |sum, seen| Seen {
            manifests: sum.manifests.saturating_add(seen.manifests),
            blobs: sum.blobs.saturating_add(seen.blobs),
        })
    }
}

/// Whether `image` is a canary by its name, known or not.
pub(crate) fn is_canary(image: &ImageName) -> bool {
    image.repository.as_str().rsplit('/').next() == Some(REPOSITORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(registry: &str) -> ImageName {
        ImageName { registry: registry.parse().unwrap(), repository: REPOSITORY.parse().unwrap() }
    }

    #[test]
    fn a_canary_is_there_until_it_ends_and_remembers_who_asked() {
        let canaries = Canaries::default();
        let tag = canaries.start().unwrap();
        assert_eq!(canaries.sighting(&tag), Some(Sighting::default()));
        let (hub, other) = (image("docker.io"), image("ghcr.io"));
        let manifest = canaries.manifest(&hub, &Reference::Tag(tag.parse().unwrap())).unwrap();
        assert_eq!(canaries.manifest(&hub, &Reference::Digest(manifest.digest)), Some(manifest.clone()));
        let text: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap();
        let layer: Digest = text["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(canaries.blob(&other, &layer).unwrap().digest, layer);
        let seen = canaries.sighting(&tag).unwrap();
        assert_eq!(seen.registries["docker.io"], Seen { manifests: 2, blobs: 0 });
        assert_eq!(seen.total(), Seen { manifests: 2, blobs: 1 });
        assert!(canaries.end(&tag) && !canaries.end(&tag));
        assert_eq!(canaries.blob(&other, &layer), None);
        assert_eq!(canaries.sighting(&tag), None);
    }

    #[test]
    fn there_are_never_many() {
        let canaries = Canaries::default();
        let tags: Vec<_> = (0..MAX_CANARIES).map(|_| canaries.start().unwrap()).collect();
        assert!(matches!(canaries.start(), Err(CanaryError::TooMany)));
        canaries.end(&tags[0]);
        canaries.start().unwrap();
    }

    #[test]
    fn the_name_is_known_in_every_registry() {
        assert!(is_canary(&image("ghcr.io")));
        let named =
            |repository: &str| ImageName { repository: repository.parse().unwrap(), ..image("docker.io") };
        assert!(is_canary(&named("library/shoal-canary")));
        let other = named("shoal-canary/app");
        assert!(!is_canary(&other));
    }
}
