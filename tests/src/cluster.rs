//! A registry behind a link, seeds, and peers, each a process of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    containerd::Containerd,
    fixtures::Fixtures,
    image::Descriptor,
    registry::Registry,
    relay::Relay,
    scratch::Scratch,
    shoal::{Node, Origin, Role, Setup, new_cluster_key},
    stored::{Image, PLAIN_REGISTRY_HOST, REGISTRY_HOST},
    wait::eventually,
};

const MEET_WITHIN: Duration = Duration::from_secs(60);
/// A request is logged when its answer is sent, which may be after the client had all of it.
const LOG_WITHIN: Duration = Duration::from_secs(10);

/// A cluster. Dropping it ends all of it.
#[derive(Debug)]
pub struct Cluster {
    /// Seeds.
    pub seeds: Vec<Node>,
    /// Peers.
    pub peers: Vec<Node>,
    /// The link that nodes and runtimes reach the registry by.
    pub link: Relay,
    /// The registry.
    pub registry: Registry,
    cluster_key: PathBuf,
    /// Other registries that its nodes know.
    others: Vec<Origin>,
    log_requests: bool,
    scratch: Scratch,
}

impl Cluster {
    /// A cluster before a registry with the images of the tests.
    pub async fn start(seeds: usize, peers: usize) -> (Self, Fixtures) {
        let fixtures = Fixtures::get().await;
        let cluster = Self::over(&fixtures.storage(), seeds, peers).await;
        (cluster, fixtures)
    }

    /// A cluster before a registry with what is in `storage`.
    pub async fn over(storage: &Path, seeds: usize, peers: usize) -> Self {
        let mut cluster = Self::empty(storage).await;
        cluster.populate(seeds, peers).await;
        cluster
    }

    /// A cluster whose nodes know `others`, too, and log what their mirrors are asked for.
    pub async fn logging(storage: &Path, others: Vec<Origin>, seeds: usize, peers: usize) -> Self {
        let mut cluster = Self { others, log_requests: true, ..Self::empty(storage).await };
        cluster.populate(seeds, peers).await;
        cluster
    }

    async fn empty(storage: &Path) -> Self {
        let scratch = Scratch::new("cluster");
        let registry = Registry::start(storage, scratch.data()).await;
        let link = Relay::start(registry.address()).await;
        let cluster_key = new_cluster_key(scratch.data(), "cluster.key").await;
        Self {
            seeds: Vec::new(),
            peers: Vec::new(),
            link,
            registry,
            cluster_key,
            others: Vec::new(),
            log_requests: false,
            scratch,
        }
    }

    async fn populate(&mut self, seeds: usize, peers: usize) {
        for number in 1..=seeds {
            let seed = self.node(&format!("seed-{number}"), Role::Seed).await;
            self.seeds.push(seed);
        }
        for number in 1..=peers {
            let peer = self.node(&format!("peer-{number}"), Role::Peer).await;
            self.peers.push(peer);
        }
        self.met().await;
    }

    /// What a new node of this cluster is told.
    pub fn setup(&self, role: Role) -> Setup {
        Setup {
            role,
            cluster_key: self.cluster_key.clone(),
            bootstrap: self.seeds.iter().map(Node::swarm).collect(),
            registries: [REGISTRY_HOST, PLAIN_REGISTRY_HOST]
                .map(|host| Origin::open(host, self.link.address()))
                .into_iter()
                .chain(self.others.iter().cloned())
                .collect(),
            log_requests: self.log_requests,
        }
    }

    /// A folder for what a test adds.
    pub fn folder(&self) -> &Path {
        self.scratch.data()
    }

    /// Where runtimes find the registry itself.
    pub fn origin(&self) -> SocketAddr {
        self.link.address()
    }

    /// Seeds and peers.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.seeds.iter().chain(&self.peers)
    }

    /// A containerd for each peer.
    pub async fn containerds(&self) -> Vec<Containerd> {
        let start = |peer: &Node| Containerd::start(Some(peer.mirror()), self.origin());
        futures::future::join_all(self.peers.iter().map(start)).await
    }

    /// Waits until every node knows every other.
    pub async fn met(&self) {
        let nodes = self.nodes().count();
        for node in self.nodes() {
            let what = format!("{} to know {nodes} nodes, itself included", node.name());
            eventually(&what, MEET_WITHIN, async || {
                let metrics = node.metrics().await;
                (metrics.swarm_peers() > 0 && metrics.inventory_nodes() >= nodes).then_some(())
            })
            .await;
        }
    }

    /// The place in `seeds` of the one that pulls from the origin.
    pub async fn pulling_seed(&self) -> usize {
        eventually("a seed to pull", MEET_WITHIN, async || {
            for (place, seed) in self.seeds.iter().enumerate() {
                if seed.metrics().await.received_bytes("origin") > 0 {
                    return Some(place);
                }
            }
            None
        })
        .await
    }

    /// Panics unless the registry was asked for each of these blobs exactly once.
    pub async fn assert_one_get_each(&self, blobs: &[Descriptor]) {
        let all = async || {
            let gets = self.registry.blob_gets();
            blobs.iter().all(|blob| gets.contains_key(&blob.digest)).then_some(())
        };
        eventually("every blob in the registry's log", LOG_WITHIN, all).await;
        let gets = self.registry.blob_gets();
        let wrong: Vec<_> = blobs.iter().filter(|blob| gets[&blob.digest] != 1).collect();
        assert!(wrong.is_empty(), "asked for more than once: {wrong:?} in {gets:?}");
    }

    /// Panics when a runtime asked the registry itself.
    pub fn assert_no_runtime_at_the_origin(&self) {
        let direct: Vec<_> = self
            .registry
            .requests()
            .into_iter()
            .filter(|request| request.agent.starts_with("containerd"))
            .collect();
        assert!(direct.is_empty(), "runtimes had to go to the origin: {direct:#?}");
    }

    /// Gets the largest blob of an image through every peer at once, and panics unless each got it whole.
    pub async fn get_everywhere(&self, image: &Image) {
        let blob = image.largest();
        let got = futures::future::join_all(self.peers.iter().map(|peer| peer.get_blob(image, blob))).await;
        for (peer, got) in self.peers.iter().zip(got) {
            let body = got.unwrap_or_else(|answer| panic!("{}: {answer}", peer.name()));
            assert_eq!(body.broken, None, "{}", peer.name());
            assert_eq!((body.len_bytes, &body.digest), (blob.size_bytes, &blob.digest), "{}", peer.name());
        }
    }

    async fn node(&self, name: &str, role: Role) -> Node {
        Node::start(name, &self.setup(role), self.folder()).await
    }
}
