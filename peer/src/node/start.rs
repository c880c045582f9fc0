//! The start of a node, step by step.

use std::{net::SocketAddr, sync::Arc};

use shoal_protocol::{
    identity::Signature,
    inventory::{Inventory, InventoryConfig},
    membership::{Role, RoleToken},
    wire::{Holding, NodeRecord},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Node, StartError,
    addresses::{self, Addresses},
    answers::NodeAnswers,
    dispatch::Dispatcher,
    origin::{self, OriginSide},
    setup::{self, failed},
    watch::Watcher,
};
use crate::{
    admin::{Admin, Readiness},
    canary::Canaries,
    clock::Clock,
    cluster::{Cluster, ClusterParts, PassedManifests, PrefetchQueue},
    config::Config,
    doctor,
    exchange::{ExchangeHandle, ExchangeParts},
    inventory::InventoryHandle,
    lane::LaneListener,
    metrics::Metrics,
    mirror::Mirror,
    preheat::Preheat,
    query::QueryServer,
    secure::Credentials,
    store::Store,
    swarm::{self, SwarmConfig, SwarmEvent, SwarmHandle},
};

impl Node {
    /// Starts a node. When it returns, the mirror answers.
    ///
    /// # Errors
    /// When an address is taken, a file can't be read, or the configuration asks for what the key does not allow.
    pub async fn start(config: Config, role: Role) -> Result<Self, StartError> {
        let registry = prometheus::Registry::new();
        let metrics = Metrics::new(&registry).map_err(failed("set up the metrics"))?;
        let credentials = setup::credentials(&config)?;
        let token = setup::role_token(&credentials, role)?;
        let sockets = Sockets::bind(&config, &credentials).await?;
        let store = setup::open_store(config.data_dir.join("store")).await?;
        let origin = origin::side(&config, token.as_ref(), &store, &registry)?;
        let ground = Ground { clock: Clock::start(), role, credentials, store, metrics, registry };
        ground.build(&config, token, sockets, origin).await
    }
}

/// The addresses that a node listens on, bound before anything runs.
struct Sockets {
    mirror: TcpListener,
    admin: TcpListener,
    lanes: LaneListener,
    swarm: SwarmHandle,
    swarm_events: mpsc::Receiver<SwarmEvent>,
}

impl Sockets {
    async fn bind(config: &Config, credentials: &Credentials) -> Result<Self, StartError> {
        let mirror = setup::bind("mirror.listen", config.mirror.listen).await?;
        let admin = setup::bind("admin.listen", config.admin.listen).await?;
        let lanes = LaneListener::bind(config.lane.listen, credentials.clone())
            .await
            .map_err(setup::cannot_listen("lane.listen", config.lane.listen))?;
        let (swarm, swarm_events) = swarm::start(SwarmConfig {
            listen: vec![config.swarm.listen],
            bootstrap: config.swarm.bootstrap.iter().map(|entry| entry.as_str().to_owned()).collect(),
            peer_table: Some(config.data_dir.join("peers.json")),
            ..SwarmConfig::new(credentials.clone())
        })
        .map_err(|error| StartError(error.to_string()))?;
        Ok(Self { mirror, admin, lanes, swarm, swarm_events })
    }
}

/// What everything else stands on.
struct Ground {
    clock: Clock,
    role: Role,
    credentials: Credentials,
    store: Store,
    metrics: Metrics,
    registry: prometheus::Registry,
}

impl Ground {
    async fn build(
        self,
        config: &Config,
        token: Option<RoleToken>,
        mut sockets: Sockets,
        origin: OriginSide,
    ) -> Result<Node, StartError> {
        let lane_port = sockets.lanes.address().port();
        let found = addresses::find(config, &mut sockets.swarm_events, lane_port).await?;
        let swarm_address = found.swarm.first().copied().unwrap_or(config.swarm.listen);
        let record = self.record(config, token, &found)?;
        let inventory = self.inventory(record, &sockets.swarm)?;
        let gate = sockets.lanes.gate();
        let exchange = self.exchange(&sockets.swarm, &inventory, &origin, sockets.lanes)?;
        let (prefetch, passed_manifests) = PrefetchQueue::new();
        let cluster = Cluster::new(ClusterParts {
            me: self.credentials.node_id(),
            swarm: sockets.swarm.clone(),
            inventory: inventory.clone(),
            store: self.store.clone(),
            exchange: exchange.clone(),
            metrics: self.metrics.clone(),
            signatures: config.for_signatures(),
            origin: origin.content,
            prefetch: config.mirror.prefetch.then_some(prefetch),
        });
        let serving = CancellationToken::new();
        let fleet = Arc::new(cluster.clone());
        let preheat = Preheat::new(Arc::<Cluster>::clone(&fleet), fleet, serving.clone());
        let answers = NodeAnswers { cluster: cluster.clone(), preheat: preheat.clone() };
        let dispatcher = Dispatcher {
            inventory: inventory.clone(),
            exchange: exchange.clone(),
            queries: QueryServer::new(Arc::new(answers)),
            gate,
        };
        let dispatcher_task = tokio::spawn(dispatcher.run(found.early, sockets.swarm_events));
        let running = Running {
            swarm_address,
            inventory,
            exchange,
            swarm: sockets.swarm,
            dispatcher_task,
            passed_manifests,
            preheat,
            serving,
        };
        self.serve(config, running, cluster, sockets.mirror, sockets.admin)
    }

    /// What this node announces of itself.
    fn record(
        &self,
        config: &Config,
        role: Option<RoleToken>,
        found: &Addresses,
    ) -> Result<NodeRecord, StartError> {
        let mut record = NodeRecord {
            node: self.credentials.node_id(),
            incarnation: setup::incarnation(&config.data_dir)?,
            role,
            zone: config.zone.as_str().to_owned(),
            swarm_addresses: found.swarm.clone(),
            lane_addresses: found.lane.clone(),
            signature: Signature([0; 64]),
        };
        record.sign(self.credentials.key());
        Ok(record)
    }

    fn inventory(&self, record: NodeRecord, swarm: &SwarmHandle) -> Result<InventoryHandle, StartError> {
        let cluster = self.credentials.cluster().clone();
        let inventory = Inventory::new(record, cluster, InventoryConfig::default(), self.clock.now());
        let inventory = inventory.map_err(failed("announce this node"))?;
        let inventory = InventoryHandle::new(inventory, swarm.clone(), self.clock);
        for blob in self.store.blobs() {
            inventory.set_local(blob.digest, Some(Holding::Holds));
        }
        Ok(inventory)
    }

    fn exchange(
        &self,
        swarm: &SwarmHandle,
        inventory: &InventoryHandle,
        origin: &OriginSide,
        lanes: LaneListener,
    ) -> Result<ExchangeHandle, StartError> {
        let parts = ExchangeParts {
            clock: self.clock,
            credentials: self.credentials.clone(),
            swarm: swarm.clone(),
            inventory: inventory.clone(),
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            seed: origin.pulls.clone(),
            random_seed: setup::random_seed()?,
        };
        Ok(ExchangeHandle::start(parts, lanes))
    }

    /// The last step: what clients see.
    fn serve(
        self,
        config: &Config,
        running: Running,
        cluster: Cluster,
        mirror: TcpListener,
        admin: TcpListener,
    ) -> Result<Node, StartError> {
        let (serving, background) = (running.serving, CancellationToken::new());
        let mirror_address = mirror.local_addr().map_err(failed("read the mirror's address"))?;
        let admin_address = admin.local_addr().map_err(failed("read the admin page's address"))?;
        let id = self.credentials.node_id();
        let readiness = Readiness::default();
        let watcher = Watcher {
            id,
            role: self.role,
            clock: self.clock,
            inventory: running.inventory.clone(),
            swarm: running.swarm.clone(),
            store: self.store,
            metrics: self.metrics.clone(),
        };
        let canaries = Canaries::default();
        let page = Admin::new(readiness.clone(), self.registry, Arc::new(watcher.clone()), running.preheat)
            .with_canaries(canaries.clone());
        let prefetching = cluster.clone().prefetch(running.passed_manifests, serving.clone());
        let server = Mirror::new(Arc::new(cluster), config.for_mirror(), self.metrics.clone())
            .map_err(failed("make the key of the mirror's tokens"))?
            .with_canaries(canaries);
        let mirror_task = tokio::spawn(server.serve(mirror, serving.clone()));
        let (metrics, until) = (self.metrics.clone(), background.clone());
        let background_tasks = vec![
            tokio::spawn(running.inventory.clone().run(background.clone())),
            tokio::spawn(prefetching),
            tokio::spawn(watcher.run(readiness, background.clone())),
            tokio::spawn(doctor::watch(config.clone(), self.metrics.clone(), background.clone())),
            tokio::spawn(async move { page.serve(admin, &metrics, until).await }),
        ];
        tracing::info!(node = %id, role = ?self.role, mirror = %mirror_address, swarm = %running.swarm_address, "running");
        Ok(Node {
            id,
            mirror: mirror_address,
            swarm_address: running.swarm_address,
            admin: admin_address,
            metrics: self.metrics,
            inventory: running.inventory,
            exchange: running.exchange,
            swarm: running.swarm,
            serving,
            background,
            mirror_task,
            background_tasks,
            dispatcher_task: running.dispatcher_task,
        })
    }
}

/// The side of a node that faces the cluster.
struct Running {
    swarm_address: SocketAddr,
    inventory: InventoryHandle,
    exchange: ExchangeHandle,
    swarm: SwarmHandle,
    dispatcher_task: tokio::task::JoinHandle<()>,
    passed_manifests: PassedManifests,
    preheat: Preheat,
    /// Ends the mirror and what is fetched without a runtime.
    serving: CancellationToken,
}
