//! Blobs of which the origin sent something else.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use shoal_protocol::digest::Digest;

/// Pulls before an origin is left alone for a while: the second may reach another endpoint.
const TRIES: u32 = 2;
/// For so long; whoever asks in the meantime goes to the origin itself and sees what is wrong.
const LEFT_ALONE: Duration = Duration::from_secs(15);
/// Blobs remembered at a time.
const MAX_BLOBS: usize = 1024;

/// Keeps many askers in a row from making a seed pull the same wrong bytes again and again.
#[derive(Debug, Default)]
pub(super) struct Spoiled {
    blobs: HashMap<Digest, (u32, Instant)>,
}

impl Spoiled {
    /// A pull brought something else than the blob.
    pub(super) fn note(&mut self, digest: Digest) {
        self.blobs.retain(|_, (_, last)| last.elapsed() < LEFT_ALONE);
        if self.blobs.len() >= MAX_BLOBS && !self.blobs.contains_key(&digest) {
            return;
        }
        let (tries, last) = self.blobs.entry(digest).or_insert((0, Instant::now()));
        (*tries, *last) = (*tries + 1, Instant::now());
    }

    /// True when pulling the blob now would be in vain.
    pub(super) fn is_hopeless(&self, digest: &Digest) -> bool {
        self.blobs.get(digest).is_some_and(|(tries, last)| *tries >= TRIES && last.elapsed() < LEFT_ALONE)
    }
}

#[cfg(test)]
mod tests {
    use shoal_protocol::digest::Algorithm;

    use super::*;

    #[test]
    fn a_blob_has_a_second_chance_and_not_a_third() {
        let (one, other) = (Digest::of(Algorithm::Sha256, b"one"), Digest::of(Algorithm::Sha256, b"other"));
        let mut spoiled = Spoiled::default();
        spoiled.note(one);
        assert!(!spoiled.is_hopeless(&one));
        spoiled.note(one);
        assert!(spoiled.is_hopeless(&one));
        assert!(!spoiled.is_hopeless(&other));
    }

    #[test]
    fn no_more_blobs_are_remembered_than_the_bound() {
        let mut spoiled = Spoiled::default();
        for number in 0..MAX_BLOBS as u32 + 10 {
            spoiled.note(Digest::of(Algorithm::Sha256, &number.to_be_bytes()));
        }
        assert_eq!(spoiled.blobs.len(), MAX_BLOBS);
    }
}
