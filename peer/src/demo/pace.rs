//! A byte rate that many streams share.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Holds streams back to a rate in all; without a rate it lets everything pass.
#[derive(Debug)]
pub(super) struct Pace {
    rate_bytes_per_s: Option<u64>,
    /// When the next bytes may pass.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(rate_bytes_per_s: Option<u64>) -> Self {
        Self { rate_bytes_per_s, next: Mutex::new(Instant::now()) }
    }

    /// Waits for its turn with `bytes` bytes.
    pub(super) async fn pass(&self, bytes: usize) {
        let Some(rate_bytes_per_s) = self.rate_bytes_per_s else {
            return;
        };
        let turn = {
            let mut next = self.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + Duration::from_secs_f64(bytes as f64 / rate_bytes_per_s.max(1) as f64);
            turn
        };
        sleep_until(turn).await;
    }
}
