//! The connections of every listener.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::register::{Counted, counters, gauges};

#[derive(Clone, Debug)]
pub(super) struct HttpMetrics {
    open: IntGaugeVec,
    refused: IntCounterVec,
}

/// The connections of one listener.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionMetrics {
    open: IntGauge,
    refused: IntCounter,
}

impl HttpMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            open: gauges(registry, "shoal_http_connections", "Open connections by listener.", &["listener"])?,
            refused: counters(
                registry,
                "shoal_http_connections_refused_total",
                "Connections refused because the listener had as many as it may.",
                &["listener"],
            )?,
        })
    }

    pub(super) fn connections(&self, listener: &'static str) -> ConnectionMetrics {
        ConnectionMetrics {
            open: self.open.with_label_values(&[listener]),
            refused: self.refused.with_label_values(&[listener]),
        }
    }
}

impl ConnectionMetrics {
    /// Counts an open connection until the returned value is dropped.
    pub(crate) fn open(&self) -> Counted {
        Counted::new(self.open.clone())
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }
}
