//! What a node fetches ahead of its runtime, with real nodes and an origin on loopback.
#![allow(clippy::expect_used, reason = "a test's helpers say what they expect")]

mod origin;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use shoal_peer::{
    config::{Admin, Config, InputFile, Lane, Mirror, Registry, Shutdown, Swarm},
    node::Node,
};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    membership::{ClusterKey, Role},
};

use origin::{Content, INDEX_TYPE, MANIFEST_TYPE, Origin};

/// Whatever does not happen within it never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Blobs that a node fetches ahead at a time.
const AT_ONCE: usize = 4;

/// A seed beside an origin.
struct Setting {
    folder: tempfile::TempDir,
    origin: Origin,
    seed: Node,
}

impl Setting {
    async fn new(content: Content, prefetch: bool) -> Self {
        // An error means that another test has done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let origin = Origin::serve(content).await;
        let config = config(folder.path(), "seed", &origin, None, prefetch);
        let seed = Node::start(config, Role::Seed).await.expect("a seed");
        Self { folder, origin, seed }
    }

    async fn peer(&self) -> Node {
        let config = config(self.folder.path(), "peer", &self.origin, Some(self.seed.swarm()), true);
        let peer = Node::start(config, Role::Peer).await.expect("a peer");
        assert!(peer.wait_for_seed(PATIENCE).await, "the peer does not meet the seed");
        peer
    }

    /// Asks a node's mirror as a runtime does.
    async fn ask(&self, node: &Node, method: reqwest::Method, item: &str) -> reqwest::Response {
        let url = format!("http://{}/v2/app/{item}?ns={}", node.mirror(), self.origin.address);
        reqwest::Client::new().request(method, url).send().await.expect("an answer")
    }

    async fn get_manifest(&self, node: &Node, digest: &Digest) {
        let answer = self.ask(node, reqwest::Method::GET, &format!("manifests/{digest}")).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("the manifest");
    }

    async fn get_blob(&self, node: &Node, digest: &Digest) {
        let answer = self.ask(node, reqwest::Method::GET, &format!("blobs/{digest}")).await;
        assert_eq!(answer.status(), 200);
        let bytes = answer.bytes().await.expect("the blob");
        assert_eq!(Digest::of(Algorithm::Sha256, &bytes), *digest);
    }
}

fn config(
    folder: &Path,
    name: &str,
    origin: &Origin,
    bootstrap: Option<SocketAddr>,
    prefetch: bool,
) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let key_file = folder.join("cluster.key");
    std::fs::write(&key_file, ClusterKey::from_root([5; 32]).to_text()).expect("a key file");
    let bootstrap = bootstrap.map(Into::into).into_iter().collect();
    Config {
        data_dir: folder.join(name),
        cluster_key_file: Some(InputFile(key_file)),
        mirror: Mirror { listen, prefetch, ..Mirror::default() },
        swarm: Swarm { listen, bootstrap, ..Swarm::default() },
        lane: Lane { listen, ..Lane::default() },
        admin: Admin { listen },
        registry: vec![Registry {
            host: Some(origin.address.to_string().parse().expect("a host")),
            endpoints: vec![format!("http://{}", origin.address).parse().expect("an endpoint")],
            ..Registry::default()
        }],
        shutdown: Shutdown { drain: Duration::from_secs(1) },
        ..Config::default()
    }
}

/// Waits until the node has counted `count` blobs that were fetched ahead and ended so.
async fn until_prefetched(node: &Node, outcome: &str, count: usize) {
    let line = format!("shoal_prefetched_blobs_total{{outcome=\"{outcome}\"}} {count}");
    let counted = async {
        let url = format!("http://{}/metrics", node.admin());
        loop {
            let page = reqwest::get(&url).await.expect("the metrics").text().await.expect("a page");
            if page.lines().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, counted).await.is_ok(), "{line} never came");
}

/// The same digests, whatever their order.
fn sorted(mut digests: Vec<Digest>) -> Vec<Digest> {
    digests.sort();
    digests
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_come_to_a_peer_before_its_runtime_asks() {
    let mut content = Content::default();
    let image = content.image("app", &[700, 200_000, 5000, 300_000, 1, 90_000]);
    let setting = Setting::new(content, true).await;
    let peer = setting.peer().await;
    setting.get_manifest(&peer, &image.manifest).await;
    until_prefetched(&peer, "complete", image.blobs.len()).await;
    for blob in &image.blobs {
        setting.get_blob(&peer, blob).await;
    }
    assert_eq!(sorted(setting.origin.asked()), sorted(image.blobs), "each once, and nothing else");
    peer.shutdown().await;
    setting.seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_come_at_a_time_in_the_manifests_order() {
    let mut content = Content::default();
    let images = [content.image("one", &[1000; 9]), content.image("two", &[1000; 3])];
    let setting = Setting::new(content, true).await;
    setting.origin.hold();
    for image in &images {
        setting.get_manifest(&setting.seed, &image.manifest).await;
    }
    let begun = async {
        while setting.origin.waiting() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, begun).await.is_ok(), "not even that many come");
    // More would have begun by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sorted(setting.origin.asked()), sorted(images[0].blobs[..AT_ONCE].to_vec()));
    setting.origin.release();
    until_prefetched(&setting.seed, "complete", 12).await;
    setting.seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stops_while_layers_are_on_their_way() {
    let mut content = Content::default();
    let image = content.image("app", &[1000; 9]);
    let setting = Setting::new(content, true).await;
    setting.origin.hold();
    setting.get_manifest(&setting.seed, &image.manifest).await;
    let stopped = tokio::time::timeout(PATIENCE, setting.seed.shutdown()).await;
    assert!(stopped.is_ok(), "the node waits for layers that nobody asked for");
    assert!(setting.origin.asked().len() <= AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_turned_off() {
    let mut content = Content::default();
    let image = content.image("app", &[1000; 5]);
    let setting = Setting::new(content, false).await;
    setting.get_manifest(&setting.seed, &image.manifest).await;
    // By the time that this one is here, the others would have begun.
    setting.get_blob(&setting.seed, &image.blobs[0]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(setting.origin.asked(), [image.blobs[0]]);
    setting.seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_indexes_start_nothing() {
    let mut content = Content::default();
    let [amd, arm, other] = ["amd64", "arm64", "other"].map(|name| content.image(name, &[1000; 3]));
    let entry = |image: &origin::Image| json!({ "mediaType": MANIFEST_TYPE, "digest": image.manifest.to_string(), "size": 1 });
    let index = content.document(INDEX_TYPE, &json!({ "manifests": [entry(&amd), entry(&arm)] }));
    let setting = Setting::new(content, true).await;
    setting.get_manifest(&setting.seed, &index).await;
    let head =
        setting.ask(&setting.seed, reqwest::Method::HEAD, &format!("manifests/{}", amd.manifest)).await;
    assert_eq!(head.status(), 200);
    // Its turn comes after theirs.
    setting.get_manifest(&setting.seed, &other.manifest).await;
    until_prefetched(&setting.seed, "complete", other.blobs.len()).await;
    assert_eq!(sorted(setting.origin.asked()), sorted(other.blobs));
    setting.seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_manifests_cost_little_and_the_next_one_is_served() {
    let mut content = Content::default();
    let good = content.image("app", &[1000; 4]);
    let blob = |number: usize| -> Value {
        let digest = Digest::of(Algorithm::Sha256, &number.to_be_bytes());
        json!({ "digest": digest.to_string(), "size": 1000 })
    };
    let repeated = vec![blob(0); 5000];
    let huge = json!({ "digest": blob(1)["digest"], "size": u64::MAX });
    let absent: Vec<Value> = (2..5).map(blob).collect();
    let manifests = [
        json!({ "config": blob(0), "layers": repeated }),
        json!({ "config": huge, "layers": absent }),
        json!({ "config": { "digest": "sha256:../..", "size": -1 }, "layers": "none" }),
    ];
    let manifests = manifests.map(|document| content.document(MANIFEST_TYPE, &document));
    let setting = Setting::new(content, true).await;
    for manifest in &manifests {
        setting.get_manifest(&setting.seed, manifest).await;
    }
    setting.get_manifest(&setting.seed, &good.manifest).await;
    until_prefetched(&setting.seed, "complete", good.blobs.len()).await;
    until_prefetched(&setting.seed, "failed", 4).await;
    assert_eq!(sorted(setting.origin.asked()), sorted(good.blobs));
    setting.seed.shutdown().await;
}
