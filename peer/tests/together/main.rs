//! What several nodes do for each other, with real nodes and an origin on loopback.
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers say what they expect")]

mod lists;
mod origin;
mod preheat;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use shoal_peer::{
    config::{Admin, Config, InputFile, Lane, Mirror, Registry, Seed, Shutdown, Swarm},
    node::Node,
};
use shoal_protocol::membership::{ClusterKey, Role};

use origin::{Content, Origin};

/// Whatever does not happen within it never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// An origin, and the folder of the nodes beside it.
struct Setting {
    folder: tempfile::TempDir,
    origin: Origin,
}

impl Setting {
    async fn new(content: Content) -> Self {
        // An error means that another test has done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { folder: tempfile::tempdir().expect("a folder"), origin: Origin::serve(content).await }
    }

    /// A seed that believes nothing of tags and lists for longer than `fresh`.
    async fn seed(&self, fresh: Duration) -> Node {
        let seed = Seed { tag_fresh: fresh, ..Seed::default() };
        let config = Config { seed, ..self.config("seed", None, "") };
        Node::start(config, Role::Seed).await.expect("a seed")
    }

    /// A peer of that name and zone, once it knows the seed.
    async fn peer(&self, name: &str, zone: &str, seed: &Node) -> Node {
        let config = self.config(name, Some(seed.swarm()), zone);
        let peer = Node::start(config, Role::Peer).await.expect("a peer");
        assert!(peer.wait_for_seed(PATIENCE).await, "the peer does not meet the seed");
        peer
    }

    fn config(&self, name: &str, bootstrap: Option<SocketAddr>, zone: &str) -> Config {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let key_file = self.folder.path().join("cluster.key");
        std::fs::write(&key_file, ClusterKey::from_root([5; 32]).to_text()).expect("a key file");
        Config {
            data_dir: self.folder.path().join(name),
            cluster_key_file: Some(InputFile(key_file)),
            zone: zone.parse().expect("a zone"),
            mirror: Mirror { listen, ..Mirror::default() },
            swarm: Swarm {
                listen,
                bootstrap: bootstrap.map(Into::into).into_iter().collect(),
                ..Swarm::default()
            },
            lane: Lane { listen, ..Lane::default() },
            admin: Admin { listen },
            registry: vec![Registry {
                host: Some(self.origin.address.to_string().parse().expect("a host")),
                endpoints: vec![format!("http://{}", self.origin.address).parse().expect("an endpoint")],
                ..Registry::default()
            }],
            shutdown: Shutdown { drain: Duration::from_secs(1) },
            ..Config::default()
        }
    }
}
