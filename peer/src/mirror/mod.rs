//! The mirror: the registry endpoint that runtimes pull through. Read-only, any registry, HTTP/1.1.
//!
//! Invariants:
//! - What goes out is what [`Content`] gave, which is verified; nothing is re-encoded.
//! - Whatever can't be served ends so that a runtime goes on to the origin by itself: a clean 404 or 503 before the
//!   first byte (for a list 403, too), after it a body that ends short with FIN. Never a reset, never 408 or 429.
//! - Headers leave before a runtime's own timer for them (30 s in containerd) runs out.
//!
//! Absent on purpose: pushes and catalogues (registries answer those), and Content-Encoding.

mod answer;
mod blob;
mod body;
mod canary;
mod error;
mod handler;
mod pull;
mod range;
mod route;
#[cfg(test)]
mod tests;
mod token;

use std::{sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::handler::MirrorHandler;
use crate::{
    access::{Access, AccessRules, Apart},
    canary::Canaries,
    content::Content,
    metrics::Metrics,
    server,
};

/// How patient the mirror is.
#[derive(Clone, Debug)]
pub struct MirrorConfig {
    /// What clients may take up.
    pub limits: server::Limits,
    /// How long content may take to be found before the answer is "not here". With `first_bytes_wait` well below the
    /// 30 s that containerd waits for headers.
    pub answer_timeout: Duration,
    /// How long the headers of a blob wait for its first bytes.
    pub first_bytes_wait: Duration,
    /// How long a body may wait for its next bytes before it ends short. The content has finer deadlines of its own;
    /// this one holds when they fail, because a mirror that stalls takes the whole pull with it.
    pub stall_timeout: Duration,
    /// Who may have what.
    pub access: AccessRules,
    /// How long a proof that somebody may have something counts, in whole seconds.
    pub proof_lifetime: Duration,
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self {
            limits: server::Limits::default(),
            answer_timeout: Duration::from_secs(20),
            first_bytes_wait: Duration::from_secs(5),
            // A 4 MiB piece over a line of 1 Mbit/s takes half of it.
            stall_timeout: Duration::from_secs(60),
            access: AccessRules::default(),
            // Clients of old take no token that lives less than a minute.
            proof_lifetime: Duration::from_secs(120),
        }
    }
}

/// The registry endpoint of a node.
pub struct Mirror {
    handler: MirrorHandler,
}

impl Mirror {
    /// A mirror of `content`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(
        content: Arc<dyn Content>,
        config: MirrorConfig,
        metrics: Metrics,
    ) -> Result<Self, getrandom::Error> {
        let access = Access::new(config.access.clone(), config.proof_lifetime, Arc::clone(&content))?;
        let content = if config.access.restrict_any() { Arc::new(Apart::new(content)) } else { content };
        let canaries = Canaries::default();
        Ok(Self { handler: MirrorHandler { access: Arc::new(access), content, canaries, config, metrics } })
    }

    /// With the canaries that the admin page tells of.
    #[must_use]
    pub fn with_canaries(mut self, canaries: Canaries) -> Self {
        self.handler.canaries = canaries;
        self
    }

    /// Answers on `listener` until `shutdown`; running answers then get `limits.stop_timeout` before they end short.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let connections = self.handler.metrics.connections("mirror");
        let limits = self.handler.config.limits.clone();
        server::serve(listener, self.handler, limits, connections, shutdown).await;
    }
}
