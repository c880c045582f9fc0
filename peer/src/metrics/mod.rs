//! Every metric of a node, in base units, in the registry handed in.
//!
//! Labels take values from closed sets only, so that no input can make a series.

mod http;
mod labels;
mod mirror;
mod register;
#[cfg(test)]
mod tests;

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

pub(crate) use self::{
    http::ConnectionMetrics,
    labels::{Outcome, RequestKind},
    mirror::MirrorMetrics,
};
use self::{
    http::HttpMetrics,
    register::{counter, counters, gauge, gauges, register},
};
pub use self::{
    labels::{Direction, Source},
    register::Counted,
};

/// All metrics of a node. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    mirror: MirrorMetrics,
    http: HttpMetrics,
    received_bytes: IntCounterVec,
    verification_failures: IntCounter,
    strikes: IntCounterVec,
    lanes: IntGaugeVec,
    prefetched: IntCounterVec,
    problems: IntGaugeVec,
    sizes: Sizes,
}

/// How much there is of what.
#[derive(Clone, Debug)]
struct Sizes {
    peers: IntGauge,
    inventory_nodes: IntGauge,
    inventory_blobs: IntGauge,
    store_bytes: IntGauge,
    store_blobs: IntGauge,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// When `registry` has a metric of one of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name, help, labels| counters(registry, name, help, labels);
        let metrics = Self {
            mirror: MirrorMetrics::new(registry)?,
            http: HttpMetrics::new(registry)?,
            received_bytes: counters(
                "shoal_received_bytes_total",
                "Verified bytes of blobs by where they came from.",
                &["source"],
            )?,
            verification_failures: counter(
                registry,
                "shoal_verification_failures_total",
                "Pieces and blobs whose hash was wrong.",
            )?,
            strikes: counters("shoal_strikes_total", "Strikes against other nodes by reason.", &["reason"])?,
            lanes: gauges(registry, "shoal_lanes", "Open lanes by direction.", &["direction"])?,
            prefetched: counters(
                "shoal_prefetched_blobs_total",
                "Blobs that began to come ahead of a runtime's request, by how their fetch ended.",
                &["outcome"],
            )?,
            problems: gauges(
                registry,
                "shoal_doctor_problems",
                "What the doctor in this node finds wrong with its host, by severity.",
                &["severity"],
            )?,
            sizes: Sizes::new(registry)?,
        };
        let build = Opts::new("shoal_build_info", "Always 1; the label tells the version.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        register(registry, Gauge::with_opts(build)?)?.set(1.0);
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Counts verified bytes that came from `source`.
    pub fn received(&self, source: Source, bytes: u64) {
        self.received_bytes.with_label_values(&[source.label()]).inc_by(bytes);
    }

    /// Bytes counted by [`Self::received`] so far.
    pub fn received_bytes(&self, source: Source) -> u64 {
        self.received_bytes.with_label_values(&[source.label()]).get()
    }

    /// Counts content whose hash was wrong.
    pub fn verification_failed(&self) {
        self.verification_failures.inc();
    }

    /// Counts a strike against another node.
    pub fn strike(&self, reason: &'static str) {
        self.strikes.with_label_values(&[reason]).inc();
    }

    /// Counts an open lane until the returned value is dropped.
    pub fn lane(&self, direction: Direction) -> Counted {
        Counted::new(self.lanes.with_label_values(&[direction.label()]))
    }

    /// Counts a blob that was fetched ahead of the runtime; `is_complete` tells whether all of it came.
    pub fn prefetched(&self, is_complete: bool) {
        self.prefetched.with_label_values(&[prefetch_outcome(is_complete)]).inc();
    }

    /// Sets how many failures and warnings the doctor in this node finds.
    pub fn set_problems(&self, failures: usize, warnings: usize) {
        set(&self.problems.with_label_values(&["failure"]), failures);
        set(&self.problems.with_label_values(&["warning"]), warnings);
    }

    /// Sets the number of connected nodes.
    pub fn set_peers(&self, peers: usize) {
        set(&self.sizes.peers, peers);
    }

    /// Sets the size of the inventory.
    pub fn set_inventory(&self, nodes: usize, blobs: usize) {
        set(&self.sizes.inventory_nodes, nodes);
        set(&self.sizes.inventory_blobs, blobs);
    }

    /// Sets the size of the store.
    pub fn set_store(&self, bytes: u64, blobs: usize) {
        set(&self.sizes.store_bytes, bytes);
        set(&self.sizes.store_blobs, blobs);
    }

    pub(crate) fn mirror(&self) -> &MirrorMetrics {
        &self.mirror
    }

    pub(crate) fn connections(&self, listener: &'static str) -> ConnectionMetrics {
        self.http.connections(listener)
    }

    /// A series that begins with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        for source in [Source::Disk, Source::Peers, Source::Seed, Source::Origin] {
            self.received(source, 0);
        }
        for direction in [Direction::In, Direction::Out] {
            self.lanes.with_label_values(&[direction.label()]).set(0);
        }
        self.set_problems(0, 0);
        for is_complete in [true, false] {
            self.prefetched.with_label_values(&[prefetch_outcome(is_complete)]).inc_by(0);
        }
    }
}

impl Sizes {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name, help| gauge(registry, name, help);
        Ok(Self {
            peers: gauge("shoal_swarm_peers", "Nodes connected to this one.")?,
            inventory_nodes: gauge("shoal_inventory_nodes", "Live nodes known.")?,
            inventory_blobs: gauge("shoal_inventory_blobs", "Blobs known to be somewhere in the cluster.")?,
            store_bytes: gauge("shoal_store_bytes", "Bytes of blobs on disk.")?,
            store_blobs: gauge("shoal_store_blobs", "Complete blobs on disk.")?,
        })
    }
}

const fn prefetch_outcome(is_complete: bool) -> &'static str {
    if is_complete { "complete" } else { "failed" }
}

fn set(gauge: &IntGauge, value: impl TryInto<i64>) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}
