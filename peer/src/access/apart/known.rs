//! What is in which repository, as far as this process has seen.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shoal_protocol::{digest::Digest, reference::ImageName};

/// Noted at least before the oldest are forgotten, and half of what is remembered at most: as much as a thousand images
/// list, in about 2 MiB.
const MAX_YOUNG: usize = 64 * 1024;

/// Pairs of a repository and a digest, each by a hash whose key nobody knows.
#[derive(Default)]
pub(super) struct Known {
    hasher: RandomState,
    memory: Mutex<Memory>,
}

/// What was used lately is young; when that is full it becomes the old, and what was old is forgotten.
#[derive(Default)]
struct Memory {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Known {
    pub(super) fn note(&self, image: &ImageName, digest: &Digest) {
        self.lock().note(self.hash(image, digest));
    }

    pub(super) fn is_in(&self, image: &ImageName, digest: &Digest) -> bool {
        let pair = self.hash(image, digest);
        let mut memory = self.lock();
        let is_known = memory.young.contains(&pair) || memory.old.contains(&pair);
        if is_known {
            memory.note(pair);
        }
        is_known
    }

    fn hash(&self, image: &ImageName, digest: &Digest) -> u64 {
        self.hasher.hash_one((image, digest))
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // One insert can't leave the sets half changed, so they are as good after a panic elsewhere.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn note(&mut self, pair: u64) {
        if self.young.len() >= MAX_YOUNG {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(pair);
    }
}

#[cfg(test)]
mod tests {
    use shoal_protocol::digest::Algorithm;

    use super::*;

    fn image(repository: &str) -> ImageName {
        ImageName { registry: "registry.example".parse().unwrap(), repository: repository.parse().unwrap() }
    }

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_be_bytes())
    }

    #[test]
    fn what_is_in_one_repository_is_in_no_other() {
        let known = Known::default();
        known.note(&image("ours"), &digest(1));
        assert!(known.is_in(&image("ours"), &digest(1)));
        assert!(!known.is_in(&image("theirs"), &digest(1)) && !known.is_in(&image("ours"), &digest(2)));
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let (known, ours) = (Known::default(), image("ours"));
        (0..MAX_YOUNG * 3).for_each(|number| {
            known.note(&ours, &digest(number));
            assert!(known.is_in(&ours, &digest(0)), "used all the time, and forgotten after {number}");
        });
        assert!(!known.is_in(&ours, &digest(1)));
        assert!(known.is_in(&ours, &digest(MAX_YOUNG * 3 - 1)));
        let memory = known.lock();
        assert!(memory.young.len() <= MAX_YOUNG && memory.old.len() <= MAX_YOUNG);
    }
}
