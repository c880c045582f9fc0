//! The one clock that the state machines of a node are driven by.

use std::time::Instant;

use shoal_protocol::time::Timestamp;

/// Counts from the start of the node. Copies count from the same start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since the start.
    pub fn now(&self) -> Timestamp {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(micros)
    }

    /// When a timestamp is due, for tokio's timers.
    pub fn instant(&self, at: Timestamp) -> tokio::time::Instant {
        (self.start + at.since(Timestamp::ZERO)).into()
    }
}
