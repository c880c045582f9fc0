//! No more bytes a second than a registry's budget.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How much may come at once after a pause: enough that a scheduler's hiccup costs no speed.
const BURST: Duration = Duration::from_millis(100);

/// Lets bytes pass at a steady rate, for all bodies of a registry together.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_s: u64,
    /// When everything that has passed was due.
    due: Mutex<Instant>,
}

impl Pace {
    /// `None` for a rate of 0, which means no limit.
    pub(super) fn new(bytes_per_s: u64) -> Option<Self> {
        (bytes_per_s > 0).then(|| Self { bytes_per_s, due: Mutex::new(Instant::now()) })
    }

    /// Waits until `len_bytes` more are within the budget.
    pub(super) async fn pass(&self, len_bytes: usize) {
        sleep_until(self.reserve(len_bytes, Instant::now())).await;
    }

    /// When `len_bytes` more are within the budget, which they take a part of now.
    fn reserve(&self, len_bytes: usize, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let from = now.checked_sub(BURST).map_or(*due, |earliest| earliest.max(*due));
        *due = from + self.time_of(len_bytes);
        *due
    }

    fn time_of(&self, len_bytes: usize) -> Duration {
        let nanos = len_bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_s);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_keep_the_rate() {
        let pace = Pace::new(1_000_000).expect("a rate");
        let start = Instant::now();
        let last = (0..100).map(|_| pace.reserve(100_000, start)).last().expect("a hundred");
        let took = last - start;
        assert!(took >= Duration::from_millis(9_900) && took <= Duration::from_millis(10_010), "{took:?}");
    }

    #[test]
    fn a_pause_is_not_saved_up() {
        let pace = Pace::new(1_000_000).expect("a rate");
        let now = Instant::now() + Duration::from_secs(3600);
        assert_eq!(pace.reserve(1_000_000, now) - now, Duration::from_secs(1) - BURST);
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(Pace::new(0).is_none());
    }
}
