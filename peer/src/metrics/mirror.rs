//! What runtimes asked of the mirror, and what they got.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounter, IntCounterVec, Registry};

use super::{
    Outcome, RequestKind,
    register::{counter, counters, histograms},
};

#[derive(Clone, Debug)]
pub(crate) struct MirrorMetrics {
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    first_byte_seconds: HistogramVec,
    sent_bytes: IntCounterVec,
    stale_answers: IntCounter,
}

impl MirrorMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: counters(
                registry,
                "shoal_mirror_requests_total",
                "Requests to the mirror by what was asked, how it ended, and why.",
                &["kind", "outcome", "reason"],
            )?,
            request_seconds: histograms(
                registry,
                "shoal_mirror_request_duration_seconds",
                "Time from a request to the mirror to the end of its answer.",
                &["kind", "outcome"],
            )?,
            first_byte_seconds: histograms(
                registry,
                "shoal_mirror_first_byte_seconds",
                "Time from a request to the mirror to the first byte of content.",
                &["kind"],
            )?,
            sent_bytes: counters(
                registry,
                "shoal_mirror_sent_bytes_total",
                "Bytes of content given to runtimes.",
                &["kind"],
            )?,
            stale_answers: counter(
                registry,
                "shoal_mirror_stale_answers_total",
                "Tags answered from memory because the origin could not be asked.",
            )?,
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    pub(crate) fn request_ended(&self, kind: RequestKind, outcome: Outcome, took: Duration) {
        let (outcome, reason) = outcome.labels();
        self.requests.with_label_values(&[kind.label(), outcome, reason]).inc();
        self.request_seconds.with_label_values(&[kind.label(), outcome]).observe(took.as_secs_f64());
    }

    pub(crate) fn first_byte(&self, kind: RequestKind, took: Duration) {
        self.first_byte_seconds.with_label_values(&[kind.label()]).observe(took.as_secs_f64());
    }

    pub(crate) fn sent(&self, kind: RequestKind, bytes: u64) {
        self.sent_bytes.with_label_values(&[kind.label()]).inc_by(bytes);
    }

    pub(crate) fn stale_answer(&self) {
        self.stale_answers.inc();
    }

    fn start_at_zero(&self) {
        for kind in [RequestKind::Manifest, RequestKind::Blob] {
            let (outcome, reason) = Outcome::Served.labels();
            self.requests.with_label_values(&[kind.label(), outcome, reason]).inc_by(0);
            self.sent(kind, 0);
        }
    }
}
