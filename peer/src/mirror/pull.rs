//! The account of one request: counted and logged once, when it ends.

use std::time::Instant;

use crate::metrics::{MirrorMetrics, Outcome, RequestKind};

/// A request under way. Dropped without an end, the client has left.
pub(super) struct Pull {
    metrics: MirrorMetrics,
    kind: RequestKind,
    asked: String,
    started: Instant,
    sent_bytes: u64,
    outcome: Outcome,
}

impl Pull {
    /// A request for `asked` has come.
    pub(super) fn start(metrics: MirrorMetrics, asked: &str) -> Self {
        Self {
            metrics,
            kind: RequestKind::Other,
            asked: asked.to_owned(),
            started: Instant::now(),
            sent_bytes: 0,
            outcome: Outcome::Cancelled,
        }
    }

    /// What it turned out to ask for.
    pub(super) fn is_for(&mut self, kind: RequestKind) {
        self.kind = kind;
    }

    /// The path that was asked for.
    pub(super) fn asked(&self) -> &str {
        &self.asked
    }

    /// Content is about to go out.
    pub(super) fn sends(&mut self, bytes: usize) {
        if self.sent_bytes == 0 && bytes > 0 {
            self.metrics.first_byte(self.kind, self.started.elapsed());
        }
        self.sent_bytes += bytes as u64;
        self.metrics.sent(self.kind, bytes as u64);
    }

    /// Whether the answer is older than it should be.
    pub(super) fn answers_stale(&self, stale: bool) {
        if stale {
            self.metrics.stale_answer();
        }
    }

    /// The request has ended as `outcome`.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.metrics.request_ended(self.kind, self.outcome, took);
        tracing::debug!(
            asked = self.asked,
            outcome = ?self.outcome,
            sent_bytes = self.sent_bytes,
            took_ms = took.as_millis(),
            "a request to the mirror ended"
        );
    }
}
