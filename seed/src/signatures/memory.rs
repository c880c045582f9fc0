//! What was found out about digests, for a while.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Verdict;
use shoal_protocol::digest::Digest;

/// How long a valid signature counts without another look: also the longest that a certificate counts after its end.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long its lack counts: short, as images are often signed right after they are pushed.
const INVALID_FOR: Duration = Duration::from_secs(10);
/// How long an origin that could not be asked is left alone.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);
/// Most digests in each of the two generations; one entry takes some 200 bytes.
const MAX_ENTRIES: usize = 20_000;

/// A policy's place, and a digest. A signature counts for the digest in any repository under that policy.
pub(super) type Key = (usize, Digest);

/// Verdicts in two generations: when the young one is full it becomes the old one, which is dropped. What is asked for
/// moves on, so that only what nobody asks for is forgotten.
#[derive(Default)]
pub(super) struct Memory(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Remembered>,
    old: HashMap<Key, Remembered>,
}

struct Remembered {
    verdict: Verdict,
    until: Instant,
    /// An index: what it lists is remembered, too.
    is_open: bool,
}

impl Memory {
    pub(super) fn recall(&self, key: &Key, now: Instant) -> Option<Verdict> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moved) = generations.old.remove(key) {
            generations.insert(*key, moved);
        }
        let found = generations.young.get(key)?;
        if now < found.until {
            return Some(found.verdict.clone());
        }
        generations.young.remove(key);
        None
    }

    /// Keeps a verdict for as long as its kind lasts.
    pub(super) fn remember(&self, key: Key, verdict: &Verdict, now: Instant) {
        let lifetime = match verdict {
            Verdict::Valid(_) => VALID_FOR,
            Verdict::Invalid(_) => INVALID_FOR,
            Verdict::Unknown(_) => UNKNOWN_FOR,
        };
        let until = now + lifetime;
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.old.remove(&key);
        generations.insert(key, Remembered { verdict: verdict.clone(), until, is_open: false });
    }

    /// Whether what an index lists is remembered, too; `None` if the index is not known to be valid.
    pub(super) fn is_open(&self, key: &Key, now: Instant) -> Option<bool> {
        let is_valid = matches!(self.recall(key, now), Some(Verdict::Valid(_)));
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(key).filter(|_| is_valid).map(|remembered| remembered.is_open)
    }

    /// Notes that what an index lists is remembered from now on; false if that was noted before, or if the index is not
    /// known to be valid.
    pub(super) fn open(&self, key: &Key, now: Instant) -> bool {
        if !matches!(self.recall(key, now), Some(Verdict::Valid(_))) {
            return false;
        }
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = generations.young.get_mut(key);
        found.is_some_and(|remembered| !mem::replace(&mut remembered.is_open, true))
    }
}

impl Generations {
    fn insert(&mut self, key: Key, remembered: Remembered) {
        if self.young.len() >= MAX_ENTRIES {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, remembered);
    }
}

#[cfg(test)]
mod tests {
    use shoal_protocol::digest::Algorithm;

    use super::*;
    use crate::signatures::Proof;

    fn valid() -> Verdict {
        Verdict::Valid(Proof::Notation("CN=a".to_owned()))
    }

    fn key(number: usize) -> Key {
        (0, Digest::of(Algorithm::Sha256, &number.to_le_bytes()))
    }

    #[test]
    fn a_lack_is_forgotten_soon_and_a_signature_is_not() {
        let (memory, start) = (Memory::default(), Instant::now());
        memory.remember(key(1), &valid(), start);
        memory.remember(key(2), &Verdict::Invalid("none".to_owned()), start);
        memory.remember(key(3), &Verdict::Unknown("down".to_owned()), start);
        let known = |after| [1, 2, 3].map(|number| memory.recall(&key(number), start + after).is_some());
        assert_eq!(known(UNKNOWN_FOR), [true, true, false]);
        assert_eq!(known(INVALID_FOR), [true, false, false]);
        assert_eq!(known(VALID_FOR), [false; 3]);
    }

    #[test]
    fn an_index_is_opened_once_and_only_when_it_is_valid() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.remember(key(1), &valid(), now);
        memory.remember(key(2), &Verdict::Invalid("none".to_owned()), now);
        let open = [1, 1, 2, 3].map(|number| memory.open(&key(number), now));
        assert_eq!(open, [true, false, false, false]);
        assert_eq!(memory.is_open(&key(1), now), Some(true));
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let (memory, now) = (Memory::default(), Instant::now());
        for number in 0..5 * MAX_ENTRIES {
            memory.remember(key(number), &valid(), now);
            assert!(number % 1000 != 0 || memory.recall(&key(0), now).is_some(), "{number}");
        }
        assert!(memory.recall(&key(1), now).is_none());
        let generations = memory.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * MAX_ENTRIES);
    }
}
