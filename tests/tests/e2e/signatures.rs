//! Images that cosign and notation signed, and images that nobody did, under policies that nodes were given.

use reqwest::StatusCode;
use shoal_tests::{
    cluster::Cluster,
    containerd::{Client, Containerd, Settings},
    http,
    push::Pusher,
    scratch::Scratch,
    shoal::Node,
    signed::{Signed, trust},
    stored::REGISTRY_HOST,
};

const NAMES: [&str; 7] = ["unsigned", "other-key", "attested", "tag", "bundle", "index", "notation"];

/// A seed and a peer, running without a policy, before a registry with the images.
struct World {
    cluster: Cluster,
    /// Holds what the registry stores.
    _scratch: Scratch,
}

impl World {
    async fn start() -> Self {
        let scratch = Scratch::new("signatures");
        let cluster = Cluster::logging(&scratch.data().join("storage"), Vec::new(), 1, 1).await;
        let pusher = Pusher::new(cluster.registry.address());
        for name in NAMES {
            Signed::named(name).push(&pusher).await;
        }
        Self { cluster, _scratch: scratch }
    }

    /// Gives both nodes the policies; the peer gets no keys, as it does not need them.
    async fn require_signatures(&mut self) {
        let policies = |keys: &str| {
            format!(
                "[[signature]]\nimages = ['{REGISTRY_HOST}/team']\n{keys}\n\
                 [[signature]]\nimages = ['{REGISTRY_HOST}/team/attested']\npolicy = 'preferred'\n{keys}\n"
            )
        };
        let (key, root) = (trust("team.pub"), trust("root.crt"));
        let keys = format!(
            "cosign_keys = ['{}']\nnotation_certificates = ['{}']\nnotation_subjects = ['CN=Releases']",
            key.display(),
            root.display()
        );
        self.cluster.seeds[0].tell(&policies(&keys));
        self.cluster.peers[0].tell(&policies(""));
        self.cluster.seeds[0].restart().await;
        self.cluster.peers[0].restart().await;
        self.cluster.met().await;
    }

    fn peer(&self) -> &Node {
        &self.cluster.peers[0]
    }

    fn seed(&self) -> &Node {
        &self.cluster.seeds[0]
    }

    /// A containerd that has the peer's mirror, and nothing else, for the registry.
    async fn bound_containerd(&self) -> Containerd {
        let mirror = self.peer().mirror();
        Containerd::start_with(&Settings::new(Some(mirror), mirror)).await
    }
}

/// The status of a manifest at a node's mirror, and what came with it.
async fn manifest(node: &Node, image: &Signed, reference: &str) -> (StatusCode, String) {
    let url = node.url(&format!("{}/manifests/{reference}", image.repository));
    let response = http::client().get(url).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn assert_refused(node: &Node, image: &Signed) {
    for reference in ["v1", &image.digest] {
        let (status, told) = manifest(node, image, reference).await;
        let name = node.name();
        assert_eq!(status, StatusCode::FORBIDDEN, "{name}: {}:{reference}: {told}", image.repository);
        assert!(told.contains("DENIED") && told.contains("a policy requires a signature"), "{name}: {told}");
    }
}

async fn assert_served(node: &Node, image: &Signed, references: &[String]) {
    for reference in references {
        let (status, told) = manifest(node, image, reference).await;
        assert_eq!(status, StatusCode::OK, "{}: {}:{reference}: {told}", node.name(), image.repository);
    }
}

fn by_tag(image: &Signed) -> String {
    format!("{REGISTRY_HOST}/{}:v1", image.repository)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_requires_is_handed_out_with_a_signature_only() {
    let mut world = World::start().await;
    let unsigned = Signed::named("unsigned");
    for node in [world.peer(), world.seed()] {
        assert_served(node, &unsigned, &["v1".to_owned(), unsigned.digest.clone()]).await;
    }
    world.require_signatures().await;

    // What both hold since before the policy is no way around it.
    for node in [world.peer(), world.seed()] {
        assert_refused(node, &unsigned).await;
        assert_refused(node, &Signed::named("other-key")).await;
        let attested = Signed::named("attested");
        assert_served(node, &attested, &["v1".to_owned(), attested.digest.clone()]).await;
        for name in ["tag", "bundle", "notation"] {
            let image = Signed::named(name);
            assert_served(node, &image, &["v1".to_owned(), image.digest.clone()]).await;
        }
        let index = Signed::named("index");
        assert_served(node, &index, &["v1".to_owned(), index.digest.clone()]).await;
        assert_served(node, &index, &index.listed()).await;
    }
    let metrics = world.seed().metrics().await;
    let counted = |policy, verdict| {
        metrics.sum("shoal_signature_verdicts_total", &[("policy", policy), ("verdict", verdict)])
    };
    assert!(counted("required", "invalid") >= 4.0 && counted("required", "valid") >= 4.0);
    assert!(counted("preferred", "invalid") >= 1.0 && counted("preferred", "valid") == 0.0);
    let log = world.seed().log();
    assert!(log.contains("it is by none of the keys of the policy"), "{log}");

    world.cluster.registry.kill();
    world.cluster.link.cut();
    let tag = Signed::named("tag");
    for node in [world.peer(), world.seed()] {
        assert_served(node, &tag, &["v1".to_owned(), tag.digest.clone()]).await;
        assert_refused_or_left_to_the_runtime(node, &unsigned).await;
    }
}

/// Without the registry nobody knows whether it was signed meanwhile.
async fn assert_refused_or_left_to_the_runtime(node: &Node, image: &Signed) {
    let (status, told) = manifest(node, image, &image.digest).await;
    let expected = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
    assert!(expected.contains(&status) && told.contains("a policy requires"), "{}: {told}", node.name());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_index_vouches_for_its_manifests_after_the_seed_has_restarted() {
    let mut world = World::start().await;
    world.require_signatures().await;
    let index = Signed::named("index");
    assert_served(world.peer(), &index, &["v1".to_owned(), index.digest.clone()]).await;
    world.cluster.seeds[0].stop().await;
    world.cluster.seeds[0].restart().await;
    world.cluster.met().await;
    // The peer has the index, so the seed is asked for no more than what that lists.
    assert_served(world.peer(), &index, &index.listed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_is_told_and_goes_to_the_registry_if_it_has_a_way_there() {
    let mut world = World::start().await;
    world.require_signatures().await;
    let (unsigned, signed) = (Signed::named("unsigned"), Signed::named("notation"));

    let bound = world.bound_containerd().await;
    let refused = bound.pull(Client::Cri, &by_tag(&unsigned)).await.unwrap_err();
    assert!(refused.contains("403"), "{refused}");
    bound.pull(Client::Cri, &by_tag(&signed)).await.unwrap();
    world.cluster.assert_no_runtime_at_the_origin();
    let requests = world.peer().mirror_requests();
    let of = |image: &Signed| {
        let path = format!("/{}/", image.repository);
        requests.iter().filter(move |request| request.path.contains(&path))
    };
    assert!(of(&unsigned).count() > 0 && of(&signed).count() > 0);
    assert!(of(&unsigned).all(|request| request.sent_bytes == 0 && request.outcome.contains("unsigned")));

    let free = &world.cluster.containerds().await[0];
    free.pull(Client::Cri, &by_tag(&unsigned)).await.unwrap();
}
