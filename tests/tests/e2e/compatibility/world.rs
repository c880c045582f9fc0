//! What all runtimes pull from: registries, a seed and a peer.

use std::{fs, net::SocketAddr, path::PathBuf};

use shoal_tests::{
    cluster::Cluster,
    hub::Hub,
    image::{Content, Layer, Manifest, architecture},
    push::Pusher,
    registry::{Access, LoggedRequest, Registry, login},
    relay::Relay,
    scratch::Scratch,
    shoal::{Node, Origin},
    stored::Image,
};

/// A registry that wants a login, as containerd names it.
pub(super) const PRIVATE_HOST: &str = "private.test:5000";
/// The same in a path.
pub(super) const PLAIN_PRIVATE_HOST: &str = "private.example";
/// What Docker's classic store can pull from. For the seeds this is the private registry, too.
pub(super) const DOCKER_HUB: &str = "docker.io";

/// One storage with three doors: a public registry (the cluster's), one that wants a login, and Docker Hub as Docker
/// itself finds it; and a cluster of one seed and one peer.
pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) hub: Hub,
    private: Registry,
    private_link: Relay,
    scratch: Scratch,
    storage: PathBuf,
}

impl World {
    pub(super) async fn start() -> Self {
        let scratch = Scratch::new("compatibility");
        let storage = scratch.data().join("storage");
        let private = Registry::start_with(&storage, scratch.data(), &Access::Login).await;
        let private_link = Relay::start(private.address()).await;
        let hub = Hub::start(&storage, scratch.data()).await;
        let password = scratch.data().join("password");
        fs::write(&password, login().password).unwrap();
        let known = [PRIVATE_HOST, PLAIN_PRIVATE_HOST, DOCKER_HUB].map(|host| Origin {
            host: host.to_owned(),
            address: private_link.address(),
            login: Some((login().username, password.clone())),
            for_own_logins: false,
        });
        let cluster = Cluster::logging(&storage, known.to_vec(), 1, 1).await;
        Self { cluster, hub, private, private_link, scratch, storage }
    }

    /// Where runtimes find the public registry: not by the link that is held.
    pub(super) fn public(&self) -> SocketAddr {
        self.cluster.registry.address()
    }

    /// Where runtimes find the private registry.
    pub(super) fn private(&self) -> SocketAddr {
        self.private.address()
    }

    /// The node that all runtimes pull through.
    pub(super) fn peer(&self) -> &Node {
        &self.cluster.peers[0]
    }

    /// Lets each connection of the seed to a registry have this many bytes and no more; 0 is no limit.
    pub(super) fn hold_origins_after(&self, bytes: u64) {
        self.cluster.link.hold_each_after(bytes);
        self.private_link.hold_each_after(bytes);
    }

    /// All that any registry was asked for.
    pub(super) fn origin_requests(&self) -> Vec<LoggedRequest> {
        let registries = [&self.cluster.registry, &self.private, self.hub.registry()];
        registries.into_iter().flat_map(Registry::requests).collect()
    }

    /// Pushes an image of one layer that nobody has seen.
    pub(super) async fn push(&self, repository: &str, layer_bytes: u64) -> Image {
        let noise = Content::Noise { len_bytes: layer_bytes, seed: fastrand::u64(..) };
        let file = self.scratch.data().join(repository.replace('/', "-"));
        let layer = Layer::of_files(file, [("srv/noise".to_owned(), noise)]);
        let manifest = Manifest::of_layers(architecture(), vec![layer], 0);
        Pusher::new(self.public()).push(repository, "v1", &manifest).await;
        Image::stored(&self.storage, repository, "v1")
    }
}
