//! Asking every registry once, for all checks about them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::future::join_all;
use shoal_seed::{
    config::RegistryConfig,
    origin::{Examined, RegistryError, examine},
};

use crate::doctor::{
    Context, Outcome,
    node::{Role, Status},
};

/// Longest time for one registry: its name, its connection, its answer and its token service's.
pub(super) const PATIENCE: Duration = Duration::from_millis(2500);
/// That, and reading this system's authorities.
pub(super) const DEADLINE: Duration = Duration::from_secs(8);
/// Most registries that are asked; whoever has more asks for the rest by name of their host, in another configuration.
const MAX_REGISTRIES: usize = 64;

/// One registry, and how it went with it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) config: RegistryConfig,
    pub(super) outcome: Result<Vec<Examined>, RegistryError>,
    /// This host's clock when the answer came, in seconds since 1970.
    pub(super) now_s: i64,
}

/// Every registry's answer, or why none was asked.
pub(super) async fn all(context: &Arc<Context>) -> Result<Arc<Vec<Asked>>, Outcome> {
    applies(context).await?;
    let configs = context.config().for_origins();
    Ok(context.once(|| join_all(configs.into_iter().take(MAX_REGISTRIES).map(ask))).await)
}

/// Only seeds ask registries. Before a start, somebody who names registries means this node to be one.
pub(super) async fn applies(context: &Context) -> Result<(), Outcome> {
    match Status::running(context, |status| status.role).await {
        Some(Role::Seed) => Ok(()),
        Some(Role::Peer) => Err(Outcome::skipped("seeds ask registries, and this node is a peer")),
        None if context.names_registries() => Ok(()),
        None => Err(Outcome::skipped("no registry is named here")),
    }
}

async fn ask(config: RegistryConfig) -> Asked {
    let outcome = examine(&config, PATIENCE).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Asked { config, outcome, now_s: i64::try_from(now.as_secs()).unwrap_or(i64::MAX) }
}
