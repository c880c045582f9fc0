//! Many askers, one call.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

/// Lets callers that ask for the same thing at the same time share one call and its outcome.
///
/// Nothing is remembered once a call ended: the next asker calls again. An asker may stop waiting (be dropped) at
/// any time; if it was the one whose call ran, the next in line makes the call instead. Holds one entry for each
/// key being asked for, so its bound is the caller's bound on askers.
pub struct SingleFlight<K, V> {
    flights: Mutex<HashMap<K, Flight<V>>>,
}

struct Flight<V> {
    outcome: Arc<OnceCell<V>>,
    askers: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { flights: Mutex::default() }
    }

    /// The outcome of `call`, or of the call for the same key that is under way.
    pub async fn run<F>(&self, key: K, call: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V>,
    {
        let seat = self.join(key);
        seat.outcome.get_or_init(call).await.clone()
    }

    fn join(&self, key: K) -> Seat<'_, K, V> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let flight =
            flights.entry(key.clone()).or_insert_with(|| Flight { outcome: Arc::default(), askers: 0 });
        flight.askers += 1;
        Seat { flights: &self.flights, key, outcome: Arc::clone(&flight.outcome) }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

/// One asker's part in a flight. The flight leaves the map with its outcome, or with its last asker.
struct Seat<'a, K: Eq + Hash, V> {
    flights: &'a Mutex<HashMap<K, Flight<V>>>,
    key: K,
    outcome: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // A later flight for the same key may have taken the place of one that ended.
        let Some(flight) = flights.get_mut(&self.key).filter(|f| Arc::ptr_eq(&f.outcome, &self.outcome))
        else {
            return;
        };
        flight.askers -= 1;
        if flight.askers == 0 || flight.outcome.initialized() {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicU32, Ordering},
    };

    use futures::{FutureExt as _, future::join_all};
    use tokio::task::yield_now;

    use super::*;

    fn under_way<V>(flight: &SingleFlight<&'static str, V>) -> usize {
        flight.flights.lock().expect("not poisoned").len()
    }

    #[tokio::test]
    async fn askers_share_one_call() {
        let flight = SingleFlight::new();
        let calls = AtomicU32::new(0);
        let ask = || {
            flight.run("a", || async {
                yield_now().await;
                calls.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(join_all((0..50).map(|_| ask())).await, vec![0; 50]);
        assert_eq!(under_way(&flight), 0);
        assert_eq!(ask().await, 1, "an outcome is not remembered");
    }

    #[tokio::test]
    async fn errors_are_not_remembered() {
        let flight: SingleFlight<&str, Result<u8, String>> = SingleFlight::new();
        assert!(flight.run("a", || ready(Err("down".to_owned()))).await.is_err());
        assert_eq!(flight.run("a", || ready(Ok(1))).await, Ok(1));
    }

    #[tokio::test]
    async fn the_next_asker_takes_over_from_a_dropped_one() {
        let flight = SingleFlight::new();
        let mut leader = Box::pin(flight.run("a", pending));
        assert_eq!(leader.as_mut().now_or_never(), None);
        let mut follower = Box::pin(flight.run("a", || ready(2)));
        assert_eq!(follower.as_mut().now_or_never(), None, "the leader's call is under way");
        drop(leader);
        assert_eq!(follower.await, 2);
        assert_eq!(under_way(&flight), 0);
    }

    #[tokio::test]
    async fn nothing_stays_when_every_asker_left() {
        let flight: SingleFlight<&str, u8> = SingleFlight::new();
        for _ in 0..3 {
            assert_eq!(flight.run("a", pending).now_or_never(), None);
        }
        let together = join_all((0..3).map(|_| flight.run("a", pending)));
        assert_eq!(together.now_or_never(), None);
        assert_eq!(under_way(&flight), 0);
    }
}
