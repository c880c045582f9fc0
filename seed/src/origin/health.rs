//! Which endpoints are well, as far as known.
//!
//! An endpoint that failed rests: it is asked after the others, so that a dead one does not cost each request a
//! timeout. When its rest is over, it is tried apart from any request; only when that goes well is it first again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Longest rest, so that an endpoint that is well again is used again soon.
const MAX_REST: Duration = Duration::from_secs(300);

/// How one endpoint has been doing.
#[derive(Debug)]
pub(super) struct Health {
    first_rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Rests since it was last well.
    rests: u32,
    /// Ends with a trial, not by itself.
    resting_until: Option<Instant>,
    is_on_trial: bool,
}

impl Health {
    pub(super) fn new(first_rest: Duration) -> Self {
        Self { first_rest, state: Mutex::default() }
    }

    pub(super) fn is_resting(&self) -> bool {
        self.lock().resting_until.is_some()
    }

    /// It answered.
    pub(super) fn was_well(&self) {
        *self.lock() = State::default();
    }

    /// It failed. Returns how long it rests now; `None` when it rested already.
    pub(super) fn failed(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        if state.resting_until.is_some() {
            return None;
        }
        Some(self.rest(&mut state, now))
    }

    /// True for the one who is to try it now; they say how it went by [`Self::tried`].
    pub(super) fn begin_trial(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let is_due = state.resting_until.is_some_and(|until| until <= now);
        let begins = is_due && !state.is_on_trial;
        state.is_on_trial |= begins;
        begins
    }

    /// A trial ended. One that went well ends the rest, but only a real answer makes the next rest short again.
    pub(super) fn tried(&self, is_well: bool, now: Instant) {
        let mut state = self.lock();
        state.is_on_trial = false;
        if is_well {
            state.resting_until = None;
        } else {
            self.rest(&mut state, now);
        }
    }

    fn rest(&self, state: &mut State, now: Instant) -> Duration {
        let doubled = self.first_rest.saturating_mul(1 << state.rests.min(16));
        let rest = doubled.min(MAX_REST);
        state.rests = state.rests.saturating_add(1);
        state.resting_until = Some(now + rest);
        rest
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(10);

    #[test]
    fn a_rest_ends_with_a_trial_that_goes_well() {
        let (health, start) = (Health::new(REST), Instant::now());
        assert_eq!(health.failed(start), Some(REST));
        assert_eq!(health.failed(start), None, "many requests that fail at once are one failure");
        assert!(health.is_resting() && !health.begin_trial(start));
        let end = start + REST;
        assert!(health.begin_trial(end) && !health.begin_trial(end), "one tries, the others don't");
        assert!(health.is_resting(), "a rest does not end by itself");
        health.tried(true, end);
        assert!(!health.is_resting());
    }

    #[test]
    fn rests_grow_up_to_a_bound_and_are_short_again_after_an_answer() {
        let (health, mut now) = (Health::new(REST), Instant::now());
        let mut rests = vec![health.failed(now)];
        for _ in 0..40 {
            now += MAX_REST;
            assert!(health.begin_trial(now));
            health.tried(true, now);
            rests.push(health.failed(now));
        }
        assert_eq!(rests[..3], [10, 20, 40].map(|s| Some(Duration::from_secs(s))));
        assert_eq!(rests.last(), Some(&Some(MAX_REST)));
        health.was_well();
        assert_eq!(health.failed(now), Some(REST));
    }

    #[test]
    fn a_trial_that_fails_is_another_rest() {
        let (health, start) = (Health::new(REST), Instant::now());
        health.failed(start);
        assert!(health.begin_trial(start + REST));
        health.tried(false, start + REST);
        assert!(!health.begin_trial(start + 2 * REST), "it rests for twice as long");
        assert!(health.begin_trial(start + 3 * REST));
    }
}
