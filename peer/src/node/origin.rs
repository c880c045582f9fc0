//! What a seed has beyond a peer.

use std::{path::Path, sync::Arc};

use shoal_protocol::membership::RoleToken;
use shoal_seed::{
    lists::Lists,
    metrics::OriginMetrics,
    origin::Origins,
    pull::{PullConfig, Puller},
    signatures::Signatures,
    tags::Tags,
};

use super::{StartError, setup::failed};
use crate::{
    cluster::{OriginParts, StoredParents, StoredTags},
    config::Config,
    exchange::SeedParts,
    store::Store,
};

/// The side of a node that faces origins: empty on a peer.
#[derive(Default)]
pub(super) struct OriginSide {
    /// For the exchange.
    pub(super) pulls: Option<SeedParts>,
    /// For tags, lists and manifests.
    pub(super) content: Option<OriginParts>,
}

/// Sets up the registries of a seed; nothing for a peer, which has no token.
pub(super) fn side(
    config: &Config,
    token: Option<&RoleToken>,
    store: &Store,
    registry: &prometheus::Registry,
) -> Result<OriginSide, StartError> {
    let Some(token) = token else { return Ok(OriginSide::default()) };
    let metrics = OriginMetrics::new(registry).map_err(failed("set up the origin's metrics"))?;
    let origins = Origins::new(&config.for_origins(), config.seed.allow_unlisted, metrics.clone())
        .map_err(|error| StartError(error.to_string()))?;
    let origins = Arc::new(origins);
    let puller = Puller::new(Arc::clone(&origins), PullConfig::default(), spool_dir(&config.data_dir)?);
    let memory = Arc::new(StoredTags::new(store.clone()));
    let tags = Tags::new(Arc::<Origins>::clone(&origins), memory, config.for_tags(), metrics.clone());
    let lists = Lists::new(Arc::<Origins>::clone(&origins), config.for_lists(), metrics.clone());
    let parents = Arc::new(StoredParents::new(store.clone()));
    let signatures = Signatures::new(config.for_signatures(), Arc::clone(&origins), parents, metrics)
        .map_err(|error| StartError(error.to_string()))?;
    Ok(OriginSide {
        pulls: Some(SeedParts { puller: Arc::new(puller), token: token.clone() }),
        content: Some(OriginParts {
            origins,
            tags: Arc::new(tags),
            lists: Arc::new(lists),
            signatures: Arc::new(signatures),
        }),
    })
}

/// Where blobs of unknown length go until their end is known.
fn spool_dir(data_dir: &Path) -> Result<std::path::PathBuf, StartError> {
    let dir = data_dir.join("spool");
    std::fs::create_dir_all(&dir)
        .map_err(|error| StartError(format!("can't make {}: {error}", dir.display())))?;
    Ok(dir)
}
