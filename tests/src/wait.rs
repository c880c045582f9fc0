//! Waiting with a deadline, by looking again and again.

use std::time::{Duration, Instant};

/// How often a condition is looked at: short against what tests wait for, long against the cost of looking.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until `probe` yields something, and panics with `what` when it has not `within` the time given.
pub async fn eventually<T>(what: &str, within: Duration, probe: impl AsyncFnMut() -> Option<T>) -> T {
    match attempt(within, probe).await {
        Some(found) => found,
        None => panic!("waited {within:?} in vain: {what}"),
    }
}

/// Looks until `probe` yields something, or `None` when it has not `within` the time given.
pub async fn attempt<T>(within: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
