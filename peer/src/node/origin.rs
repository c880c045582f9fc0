//! What a seed has beyond a peer.

use std::{path::Path, sync::Arc};

use shoal_protocol::membership::RoleToken;
use shoal_seed::{
    config::{RegistryConfig, RegistryLimits},
    metrics::OriginMetrics,
    origin::Origins,
    pull::{PullConfig, Puller},
    tags::{Tags, TagsConfig},
};

use super::{StartError, failed};
use crate::{
    cluster::{OriginParts, StoredTags},
    config::{Config, Registry},
    exchange::SeedParts,
    store::Store,
};

/// Sets up the registries of a seed; nothing for a peer, which has no token.
pub(super) fn seed_parts(
    config: &Config,
    token: Option<RoleToken>,
    store: &Store,
    registry: &prometheus::Registry,
) -> Result<Option<(SeedParts, OriginParts)>, StartError> {
    let Some(token) = token else { return Ok(None) };
    let metrics = OriginMetrics::new(registry).map_err(failed("set up the origin's metrics"))?;
    let registries: Vec<RegistryConfig> =
        config.registry.iter().map(registry_config).collect::<Result<_, _>>()?;
    let origins =
        Origins::new(&registries, false, metrics.clone()).map_err(|error| StartError(error.to_string()))?;
    let origins = Arc::new(origins);
    let spool_dir = spool_dir(&config.data_dir)?;
    let puller = Puller::new(Arc::clone(&origins), PullConfig::default(), spool_dir);
    let tags_config = TagsConfig {
        fresh_ms: u64::try_from(config.seed.tag_memory.as_millis()).unwrap_or(u64::MAX),
        max_stale_s: config.seed.tag_stale.as_secs(),
        ..TagsConfig::default()
    };
    let memory = Arc::new(StoredTags::new(store.clone()));
    let tags = Tags::new(Arc::<Origins>::clone(&origins), memory, tags_config, metrics);
    let exchange = SeedParts { puller: Arc::new(puller), token };
    Ok(Some((exchange, OriginParts { origins, tags: Arc::new(tags) })))
}

fn registry_config(registry: &Registry) -> Result<RegistryConfig, StartError> {
    let host = registry.host.clone().ok_or_else(|| StartError("a [[registry]] has no host".to_owned()))?;
    let endpoints = registry.endpoints.iter().map(|endpoint| {
        let parsed = endpoint.as_str().parse();
        parsed
            .map_err(|error| StartError(format!("registry {host}: endpoint {}: {error}", endpoint.as_str())))
    });
    Ok(RegistryConfig {
        endpoints: endpoints.collect::<Result<_, _>>()?,
        username: registry.username.clone(),
        password: None,
        password_file: registry.password_file.as_ref().map(|file| file.0.clone()),
        ca_file: registry.ca_file.as_ref().map(|file| file.0.clone()),
        limits: RegistryLimits::default(),
        host,
    })
}

/// Where blobs of unknown length go until their end is known.
fn spool_dir(data_dir: &Path) -> Result<std::path::PathBuf, StartError> {
    let dir = data_dir.join("spool");
    std::fs::create_dir_all(&dir)
        .map_err(|error| StartError(format!("can't make {}: {error}", dir.display())))?;
    Ok(dir)
}
