//! How long to wait before trying again.

use std::time::Duration;

/// A delay that doubles with each failure. Jitter keeps nodes that failed together from trying again together.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    last: Duration,
    failures: u32,
}

impl Backoff {
    /// From `first`, doubled up to `last`.
    pub(super) fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, failures: 0 }
    }

    /// The delay after one more failure.
    pub(super) fn next_delay(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(self.last))
    }

    /// It worked: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Between half of `delay` and one and a half of it.
pub(super) fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + f64::from(random()) / f64::from(u32::MAX))
}

/// Puts `items` in random order.
pub(super) fn shuffle<T>(items: &mut [T]) {
    items.sort_by_cached_key(|_| random());
}

/// Without randomness there is no jitter, which is no reason to stop.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_last_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        assert!(backoff.next_delay() <= Duration::from_millis(750));
        for _ in 0..100 {
            assert!(backoff.next_delay() <= Duration::from_secs(45));
        }
        assert!(backoff.next_delay() >= Duration::from_secs(15));
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(750));
    }
}
