//! Files, keys and sockets that a start needs, each with an error that says what to do.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use shoal_protocol::membership::{ClusterKey, Role, RoleToken};
use tokio::net::TcpListener;

use super::StartError;
use crate::{
    config::Config,
    identity_file,
    secure::Credentials,
    store::{RealDisk, Store},
};

/// The node's key, made at the first start, and the cluster's.
pub(super) fn credentials(config: &Config) -> Result<Credentials, StartError> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .map_err(|error| StartError(format!("can't make data_dir {}: {error}", dir.display())))?;
    let key = identity_file::load_or_create(dir).map_err(|error| StartError(error.to_string()))?;
    let file = config.cluster_key_file.as_ref();
    let file = file.ok_or_else(|| StartError("cluster_key_file is not set".to_owned()))?;
    let path = file.0.display();
    let text = std::fs::read_to_string(&file.0)
        .map_err(|error| StartError(format!("can't read cluster_key_file {path}: {error}")))?;
    let cluster =
        ClusterKey::parse(&text).map_err(|error| StartError(format!("cluster_key_file {path}: {error}")))?;
    let credentials = match config.lane.plaintext {
        false => Credentials::new(key, cluster),
        true => Credentials::with_plaintext_lanes(key, cluster),
    };
    credentials.map_err(|error| StartError(error.to_string()))
}

/// What proves to others that this node is a seed; a peer needs no proof.
pub(super) fn role_token(credentials: &Credentials, role: Role) -> Result<Option<RoleToken>, StartError> {
    if role == Role::Peer {
        return Ok(None);
    }
    let token = credentials.cluster().issue_role(&credentials.node_id(), role);
    token.map(Some).map_err(|error| {
        StartError(format!("this node can't be a seed: {error}; give it the key that `shoal key new` made"))
    })
}

pub(super) async fn open_store(dir: PathBuf) -> Result<Store, StartError> {
    let opened = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir).map_err(|error| format!("can't make {}: {error}", dir.display()))?;
        Store::open(&dir, Arc::new(RealDisk)).map_err(|error| error.to_string())
    });
    let (store, recovered) = opened.await.map_err(failed("open the store"))?.map_err(StartError)?;
    tracing::info!(blobs = recovered.blobs, partials = recovered.partials, "the store is open");
    tracing::debug!(?recovered, "what opening the store found");
    Ok(store)
}

pub(super) async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(cannot_listen(key, address))
}

pub(super) fn cannot_listen(
    key: &'static str,
    address: SocketAddr,
) -> impl FnOnce(std::io::Error) -> StartError {
    move |error| StartError(format!("can't listen on {address}: {error}; another address goes into {key}"))
}

/// Tells this start from earlier ones: the time, or one more than the last where the clock went back since.
pub(super) fn incarnation(data_dir: &Path) -> Result<u64, StartError> {
    let path = data_dir.join("incarnation");
    let last = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let incarnation = now_ms.max(last.map_or(0, |last| last.saturating_add(1)));
    std::fs::write(&path, incarnation.to_string())
        .map_err(|error| StartError(format!("can't write {}: {error}", path.display())))?;
    Ok(incarnation)
}

pub(super) fn random_seed() -> Result<u64, StartError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(failed("get random bytes"))?;
    Ok(u64::from_le_bytes(seed))
}

pub(super) fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> StartError {
    move |error| StartError(format!("can't {what}: {error}"))
}
