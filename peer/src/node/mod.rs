//! A node, put together: sockets first, then everything that uses them.

mod addresses;
mod origin;
mod stop;
mod watch;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use shoal_protocol::{
    identity::NodeId,
    inventory::{Inventory, InventoryConfig},
    membership::{ClusterKey, Role},
    wire::{Holding, NodeRecord},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{Admin, Readiness},
    clock::Clock,
    cluster::{Cluster, ClusterParts},
    config::Config,
    exchange::{ExchangeHandle, ExchangeParts},
    identity_file,
    inventory::InventoryHandle,
    lane::{LaneGate, LaneListener},
    metrics::{Metrics, Source},
    mirror::Mirror,
    query::QueryServer,
    secure::Credentials,
    store::{RealDisk, Store},
    swarm::{self, Protocol, SwarmConfig, SwarmEvent, SwarmHandle},
};

/// Why a node does not start: what is wrong, with what, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

/// A running node.
pub struct Node {
    id: NodeId,
    mirror: SocketAddr,
    swarm_address: SocketAddr,
    admin: SocketAddr,
    metrics: Metrics,
    inventory: InventoryHandle,
    exchange: ExchangeHandle,
    swarm: SwarmHandle,
    serving: CancellationToken,
    gossiping: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    background: Vec<JoinHandle<()>>,
}

impl Node {
    /// Starts a node. When it returns, the mirror answers.
    ///
    /// # Errors
    /// When an address is taken, a file can't be read, or the configuration asks for what the key does not allow.
    pub async fn start(config: Config, role: Role) -> Result<Self, StartError> {
        let clock = Clock::start();
        let registry = prometheus::Registry::new();
        let metrics = Metrics::new(&registry).map_err(failed("set up the metrics"))?;
        let credentials = credentials(&config)?;
        let id = credentials.node_id();
        let token = match role {
            Role::Peer => None,
            Role::Seed => Some(credentials.cluster().issue_role(&id, Role::Seed).map_err(|error| {
                StartError(format!(
                    "this node can't be a seed: {error}; give it the key that `shoal key new` made"
                ))
            })?),
        };

        let mirror = bind("mirror.listen", config.mirror.listen).await?;
        let admin = bind("admin.listen", config.admin.listen).await?;
        let lanes = LaneListener::bind(config.lane.listen, credentials.clone())
            .await
            .map_err(cannot_listen("lane.listen", config.lane.listen))?;
        let store = open_store(config.data_dir.join("store")).await?;
        let (swarm, mut swarm_events) = swarm::start(SwarmConfig {
            listen: vec![config.swarm.listen],
            bootstrap: config.swarm.bootstrap.iter().map(|entry| entry.as_str().to_owned()).collect(),
            peer_table: Some(config.data_dir.join("peers.json")),
            ..SwarmConfig::new(credentials.clone())
        })
        .map_err(|error| StartError(error.to_string()))?;

        let found = addresses::find(&config, &mut swarm_events, lanes.address().port()).await?;
        let swarm_address = found.swarm.first().copied().unwrap_or(config.swarm.listen);
        let mut record = NodeRecord {
            node: id,
            incarnation: unix_ms(),
            role: token.clone(),
            zone: config.zone.as_str().to_owned(),
            swarm_addresses: found.swarm,
            lane_addresses: found.lane,
            signature: shoal_protocol::identity::Signature([0; 64]),
        };
        record.sign(credentials.key());
        let inventory =
            Inventory::new(record, credentials.cluster().clone(), InventoryConfig::default(), clock.now())
                .map_err(failed("announce this node"))?;
        let inventory = InventoryHandle::new(inventory, swarm.clone(), clock);

        let seed = origin::seed_parts(&config, token, &store, &registry)?;
        let (seed_exchange, seed_origin) = seed.unzip();
        let gate = lanes.gate();
        let parts = ExchangeParts {
            clock,
            credentials,
            swarm: swarm.clone(),
            inventory: inventory.clone(),
            store: store.clone(),
            metrics: metrics.clone(),
            seed: seed_exchange,
            random_seed: random_seed()?,
        };
        let exchange = ExchangeHandle::start(parts, lanes);
        for blob in store.blobs() {
            inventory.set_local(blob.digest, Some(Holding::Holds));
        }
        let cluster = Cluster::new(ClusterParts {
            me: id,
            swarm: swarm.clone(),
            inventory: inventory.clone(),
            store: store.clone(),
            exchange: exchange.clone(),
            metrics: metrics.clone(),
            origin: seed_origin,
        });

        let readiness = Readiness::default();
        let watcher =
            watch::Watcher::new(id, role, clock, inventory.clone(), swarm.clone(), store, metrics.clone());
        let (serving, gossiping) = (CancellationToken::new(), CancellationToken::new());
        let mut node = Self {
            id,
            mirror: mirror.local_addr().map_err(failed("read the mirror's address"))?,
            swarm_address,
            admin: admin.local_addr().map_err(failed("read the admin page's address"))?,
            metrics: metrics.clone(),
            inventory: inventory.clone(),
            exchange: exchange.clone(),
            swarm,
            serving: serving.clone(),
            gossiping: gossiping.clone(),
            servers: Vec::new(),
            background: Vec::new(),
        };
        let dispatcher = Dispatcher {
            inventory: inventory.clone(),
            exchange,
            queries: QueryServer::new(Arc::new(cluster.clone())),
            gate,
        };
        let mirror_server = Mirror::new(Arc::new(cluster), config.for_mirror(), metrics.clone());
        let page = Admin::new(readiness.clone(), registry, Arc::new(watcher.clone()));
        node.background.push(tokio::spawn(dispatcher.run(swarm_events)));
        node.background.push(tokio::spawn(inventory.run(gossiping.clone())));
        node.background.push(tokio::spawn(watcher.run(readiness, gossiping.clone())));
        node.servers.push(tokio::spawn(mirror_server.serve(mirror, serving)));
        node.background.push(tokio::spawn(async move { page.serve(admin, &metrics, gossiping).await }));
        tracing::info!(node = %node.id, ?role, mirror = %node.mirror, swarm = %node.swarm_address, "running");
        Ok(node)
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where the mirror listens.
    pub fn mirror(&self) -> SocketAddr {
        self.mirror
    }

    /// Where other nodes reach this one.
    pub fn swarm(&self) -> SocketAddr {
        self.swarm_address
    }

    /// Where the admin page is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Bytes of blobs that came from `source` so far.
    pub fn received_bytes(&self, source: Source) -> u64 {
        self.metrics.received_bytes(source)
    }

    /// Waits until a seed is known, for up to `timeout`; false when none is by then.
    pub async fn wait_for_seed(&self, timeout: Duration) -> bool {
        let known = async {
            while !self.inventory.has_seed() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(timeout, known).await.is_ok()
    }
}

/// Hands what comes from the swarm to whom it concerns.
struct Dispatcher {
    inventory: InventoryHandle,
    exchange: ExchangeHandle,
    queries: QueryServer,
    gate: LaneGate,
}

impl Dispatcher {
    async fn run(self, mut events: mpsc::Receiver<SwarmEvent>) {
        while let Some(event) = events.recv().await {
            match event {
                SwarmEvent::Connected { node } => self.inventory.handle_connected(node),
                SwarmEvent::Disconnected { node } => {
                    self.inventory.handle_disconnected(node);
                    self.exchange.handle_disconnected(node).await;
                }
                SwarmEvent::Gossip { from, data } => self.inventory.handle_gossip(from, data).await,
                SwarmEvent::Stream { from, protocol: Protocol::Control, stream } => {
                    self.exchange.handle_control(from, stream).await;
                }
                SwarmEvent::Stream { from, protocol: Protocol::Query, stream } => {
                    self.queries.serve(from, stream);
                }
                SwarmEvent::Stream { from, protocol: Protocol::Lane, stream } => {
                    match self.gate.admit(from, stream) {
                        Ok(lane) => self.exchange.handle_lane(lane).await,
                        Err(error) => tracing::debug!(%from, %error, "refused a lane"),
                    }
                }
                SwarmEvent::Listening { .. } => {}
            }
        }
    }
}

fn credentials(config: &Config) -> Result<Credentials, StartError> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| StartError(format!("can't make data_dir {}: {error}", config.data_dir.display())))?;
    let key =
        identity_file::load_or_create(&config.data_dir).map_err(|error| StartError(error.to_string()))?;
    let file = config
        .cluster_key_file
        .as_ref()
        .ok_or_else(|| StartError("cluster_key_file is not set".to_owned()))?;
    let path = file.0.display();
    let text = std::fs::read_to_string(&file.0)
        .map_err(|error| StartError(format!("can't read cluster_key_file {path}: {error}")))?;
    let cluster =
        ClusterKey::parse(&text).map_err(|error| StartError(format!("cluster_key_file {path}: {error}")))?;
    Credentials::new(key, cluster).map_err(|error| StartError(error.to_string()))
}

async fn open_store(dir: PathBuf) -> Result<Store, StartError> {
    let opened = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir).map_err(|error| format!("can't make {}: {error}", dir.display()))?;
        Store::open(&dir, Arc::new(RealDisk)).map_err(|error| error.to_string())
    });
    let (store, recovered) = opened.await.map_err(failed("open the store"))?.map_err(StartError)?;
    tracing::info!(blobs = recovered.blobs, partials = recovered.partials, "the store is open");
    tracing::debug!(?recovered, "what opening the store found");
    Ok(store)
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(cannot_listen(key, address))
}

fn cannot_listen(key: &'static str, address: SocketAddr) -> impl FnOnce(std::io::Error) -> StartError {
    move |error| StartError(format!("can't listen on {address}: {error}; another address goes into {key}"))
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> StartError {
    move |error| StartError(format!("can't {what}: {error}"))
}

fn random_seed() -> Result<u64, StartError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(failed("get random bytes"))?;
    Ok(u64::from_le_bytes(seed))
}

fn unix_ms() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
