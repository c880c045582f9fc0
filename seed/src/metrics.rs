//! What a seed counts, in a registry that it is handed.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::signatures::{SignatureMode, Verdict};

/// Counters of everything between a seed and origins. Cheap to clone.
#[derive(Clone)]
pub struct OriginMetrics {
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    bytes: IntCounterVec,
    resumes: IntCounterVec,
    corrupt: IntCounterVec,
    stale_tags: IntCounter,
    stale_lists: IntCounter,
    signatures: IntCounterVec,
}

/// What a request to an origin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Resolve,
    Manifest,
    Stat,
    Blob,
    Token,
    Permission,
    Signature,
    List,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Manifest => "manifest",
            Self::Stat => "stat",
            Self::Blob => "blob",
            Self::Token => "token",
            Self::Permission => "permission",
            Self::Signature => "signature",
            Self::List => "list",
        }
    }
}

impl OriginMetrics {
    /// Creates the counters and registers them.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let seconds = HistogramOpts::new(
            "shoal_origin_request_seconds",
            "Time from a request to an origin until the head of its answer.",
        );
        let metrics = Self {
            requests: counter(
                "shoal_origin_requests_total",
                "Requests to origins, redirects followed, by what was asked for and how it was answered.",
                &["registry", "kind", "status"],
            )?,
            request_seconds: HistogramVec::new(seconds, &["registry", "kind"])?,
            bytes: counter(
                "shoal_origin_bytes_total",
                "Bytes of manifests and blobs received from origins.",
                &["registry"],
            )?,
            resumes: counter(
                "shoal_origin_resumes_total",
                "Blob downloads continued over a new connection.",
                &["registry"],
            )?,
            corrupt: counter(
                "shoal_origin_corrupt_total",
                "Answers whose bytes do not have the digest asked for.",
                &["registry"],
            )?,
            stale_tags: IntCounter::new(
                "shoal_tag_stale_answers_total",
                "Tags answered from memory because the origin could not be asked.",
            )?,
            stale_lists: IntCounter::new(
                "shoal_list_stale_answers_total",
                "Lists of tags and referrers answered from memory because the origin could not be asked.",
            )?,
            signatures: counter(
                "shoal_signature_verdicts_total",
                "Manifests and tags asked of this seed for which a policy wants signatures, by what was found.",
                &["policy", "verdict"],
            )?,
        };
        registry.register(Box::new(metrics.request_seconds.clone()))?;
        registry.register(Box::new(metrics.stale_tags.clone()))?;
        registry.register(Box::new(metrics.stale_lists.clone()))?;
        Ok(metrics)
    }

    /// `status` is an HTTP status, or `None` when no answer came.
    pub(crate) fn requested(&self, registry: &str, kind: Kind, status: Option<u16>, took: Duration) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.requests.with_label_values(&[registry, kind.name(), &status]).inc();
        self.request_seconds.with_label_values(&[registry, kind.name()]).observe(took.as_secs_f64());
    }

    /// The byte counter of one registry, looked up once for a whole body.
    pub(crate) fn bytes_of(&self, registry: &str) -> IntCounter {
        self.bytes.with_label_values(&[registry])
    }

    pub(crate) fn resumed(&self, registry: &str) {
        self.resumes.with_label_values(&[registry]).inc();
    }

    pub(crate) fn corrupt(&self, registry: &str) {
        self.corrupt.with_label_values(&[registry]).inc();
    }

    pub(crate) fn answered_stale(&self) {
        self.stale_tags.inc();
    }

    pub(crate) fn listed_stale(&self) {
        self.stale_lists.inc();
    }

    pub(crate) fn judged(&self, policy: SignatureMode, verdict: &Verdict) {
        self.signatures.with_label_values(&[&*policy.to_string(), verdict.name()]).inc();
    }
}
