//! The mirror over real sockets, on loopback.

mod access;
mod canary;
mod content;
mod endings;
mod hostile;
mod lists;
mod memory;
mod routes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use prometheus::Registry;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::memory::Memory;
use super::{Mirror, MirrorConfig};
use crate::{metrics::Metrics, server::test_client::PATIENCE};

/// A mirror that listens.
struct Running {
    address: SocketAddr,
    registry: Registry,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(content: Memory, config: MirrorConfig) -> Self {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mirror = Mirror::new(Arc::new(content), config, metrics).unwrap();
        let serving = tokio::spawn(mirror.serve(listener, shutdown.clone()));
        Self { address, registry, shutdown, serving }
    }

    async fn with(content: Memory) -> Self {
        Self::start(content, patient()).await
    }

    fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }

    /// Waits until the metrics have `line`.
    async fn until_counted(&self, line: &str) {
        let counted = async {
            while !self.metrics().lines().any(|found| found == line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, counted).await;
        assert!(in_time.is_ok(), "{line} never came in\n{}", self.metrics());
    }
}

/// A configuration in which no timer fires unless a test shortens it.
fn patient() -> MirrorConfig {
    let mut config = MirrorConfig {
        answer_timeout: PATIENCE,
        first_bytes_wait: PATIENCE,
        stall_timeout: PATIENCE,
        ..MirrorConfig::default()
    };
    config.limits.header_timeout = PATIENCE;
    config.limits.write_stall_timeout = PATIENCE;
    config.limits.stop_timeout = PATIENCE;
    config
}
