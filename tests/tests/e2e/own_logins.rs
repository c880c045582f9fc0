//! Images for those only whose own login the registry accepts: what each containerd does with a pod's pull secret.

use std::fs;

use shoal_tests::{
    cluster::Cluster,
    containerd::{Containerd, Settings, Version},
    cri::Login,
    http,
    image::{Content, Layer, Manifest, architecture},
    push::Pusher,
    registry::{Access, Registry, login},
    scratch::Scratch,
    shoal::Origin,
    stored::Image,
};

const HOST: &str = "private.test:5000";
const LAYER_BYTES: u64 = 700_000;

/// A registry that wants a login, which the seed has, and a peer that gives its images only to those who have one.
struct World {
    cluster: Cluster,
    registry: Registry,
    storage: std::path::PathBuf,
    scratch: Scratch,
}

impl World {
    async fn start() -> Self {
        let scratch = Scratch::new("own-logins");
        let storage = scratch.data().join("storage");
        let registry = Registry::start_with(&storage, scratch.data(), &Access::Login).await;
        let password = scratch.data().join("password");
        fs::write(&password, login().password).unwrap();
        let origin = Origin {
            host: HOST.to_owned(),
            address: registry.address(),
            login: Some((login().username, password)),
            for_own_logins: true,
        };
        let cluster = Cluster::logging(&storage, vec![origin], 1, 1).await;
        Self { cluster, registry, storage, scratch }
    }

    async fn push(&self, repository: &str) -> Image {
        let noise = Content::Noise { len_bytes: LAYER_BYTES, seed: fastrand::u64(..) };
        let layer = Layer::of_files(self.scratch.data().join(repository), [("srv/noise".to_owned(), noise)]);
        let manifest = Manifest::of_layers(architecture(), vec![layer], 0);
        Pusher::new(self.cluster.registry.address()).push(repository, "v1", &manifest).await;
        Image::stored(&self.storage, repository, "v1")
    }

    async fn containerd(&self, version: Version) -> Containerd {
        let peer = &self.cluster.peers[0];
        let origins = vec![(HOST.to_owned(), self.registry.address())];
        let settings =
            Settings { version, origins, ..Settings::new(Some(peer.mirror()), self.registry.address()) };
        Containerd::start_with(&settings).await
    }

    /// Bytes of content that the peer's mirror sent for a repository.
    fn served_bytes(&self, repository: &str) -> u64 {
        let requests = self.cluster.peers[0].mirror_requests();
        let of_it = requests.iter().filter(|request| request.path.contains(&format!("/{repository}/")));
        of_it.map(|request| request.sent_bytes).sum()
    }

    /// How often a containerd asked the registry itself for something of a repository.
    fn asked_directly(&self, repository: &str) -> usize {
        let is_direct = |request: &&shoal_tests::registry::LoggedRequest| {
            request.agent.starts_with("containerd") && request.target.contains(&format!("/{repository}/"))
        };
        self.registry.requests().iter().filter(is_direct).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_own_pull_secret_decides() {
    let world = World::start().await;
    let wrong = Login { password: "sardine".to_owned(), ..login() };
    for version in Version::ALL {
        let repository = format!("team-{version:?}").to_lowercase().replace('_', "-");
        let image = world.push(&repository).await;
        let reference = format!("{HOST}/{repository}:v1");
        let containerd = world.containerd(version).await;

        let without = containerd.cri().pull(&reference, None, std::time::Duration::from_secs(60)).await;
        assert!(without.is_err(), "{version:?}: without a secret: {without:?}");
        assert_eq!(world.served_bytes(&repository), 0, "{version:?}: nothing for nobody");
        let direct = world.asked_directly(&repository);
        assert!(direct > 0, "{version:?}: refused at the node, it asks the registry");

        containerd
            .pull_with(&login(), &reference)
            .await
            .unwrap_or_else(|error| panic!("{version:?}: {error}"));
        let all_bytes: u64 =
            image.blobs.iter().map(|blob| blob.size_bytes).sum::<u64>() + image.document_bytes;
        assert!(world.served_bytes(&repository) >= all_bytes, "{version:?}: all of it came through the node");
        assert_eq!(
            world.asked_directly(&repository),
            direct,
            "{version:?}: and nothing from the registry itself"
        );

        let other = world.containerd(version).await;
        let served_before = world.served_bytes(&repository);
        let refused = other.pull_with(&wrong, &reference).await;
        assert!(refused.is_err(), "{version:?}: a wrong secret, with the layer on the node");
        assert_eq!(world.served_bytes(&repository), served_before, "{version:?}");
    }
    assert_no_way_around(&world).await;
    for node in world.cluster.nodes() {
        let log = node.log();
        assert!(!log.contains("swordfish") && !log.contains("sardine"), "{} logs a password", node.name());
    }
}

/// A private layer that is on the node is not given to whoever asks for it in a repository that is open.
async fn assert_no_way_around(world: &World) {
    let private = world.push("private").await;
    let containerd = world.containerd(Version::V1_7).await;
    containerd.pull_with(&login(), &format!("{HOST}/private:v1")).await.unwrap();
    let peer = &world.cluster.peers[0];
    let layer = &private.largest().digest;
    peer.blob_file(layer).await;
    for path in [format!("blobs/{layer}"), format!("manifests/{}", private.digest)] {
        let url = peer.url(&format!("open/{path}"));
        let status = http::client().get(url).send().await.unwrap().status();
        assert_eq!(status, 404, "{path}, private, in an open repository");
    }
}
