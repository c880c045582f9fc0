//! What registries keep beside images, and what they list, through a peer and a seed: as the registry itself has it.

use bytes::Bytes;
use reqwest::Response;
use serde_json::{Value, json};
use shoal_tests::{cluster::Cluster, http, image::digest_of, push::Pusher, scratch::Scratch};

const REPOSITORY: &str = "team/artifacts";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A cluster before a registry of its own.
struct World {
    cluster: Cluster,
    pusher: Pusher,
    _scratch: Scratch,
}

impl World {
    async fn start() -> Self {
        let scratch = Scratch::new("artifacts");
        let cluster = Cluster::over(&scratch.data().join("storage"), 1, 1).await;
        let pusher = Pusher::new(cluster.registry.address());
        Self { cluster, pusher, _scratch: scratch }
    }

    async fn blob(&self, media_type: &str, content: &'static [u8]) -> Value {
        let digest = self.pusher.push_bytes(REPOSITORY, Bytes::from_static(content)).await;
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// Pushes a document under a tag, and tells its descriptor.
    async fn push(&self, tag: &str, document: &Value) -> Value {
        let media_type = document["mediaType"].as_str().unwrap();
        // As no program would write it: whatever is not passed byte for byte has another digest.
        let bytes = Bytes::from(format!("{document:#}\n \n"));
        let len_bytes = bytes.len();
        let digest = self.pusher.put_manifest(REPOSITORY, tag, media_type, bytes).await;
        json!({ "mediaType": media_type, "digest": digest, "size": len_bytes })
    }

    async fn of_registry(&self, item: &str) -> Response {
        let url = format!("http://{}/v2/{REPOSITORY}/{item}", self.cluster.registry.address());
        get(url).await
    }

    async fn of_mirror(&self, item: &str) -> Response {
        get(self.cluster.peers[0].url(&format!("{REPOSITORY}/{item}"))).await
    }

    /// Asserts that the mirror gives what the registry gives.
    async fn assert_same(&self, item: &str) -> Bytes {
        let (expected, found) = (self.of_registry(item).await, self.of_mirror(item).await);
        assert_eq!((expected.status().as_u16(), found.status().as_u16()), (200, 200), "{item}");
        let type_of = |response: &Response| {
            let media_type = response.headers()["content-type"].to_str().unwrap();
            media_type.split(';').next().unwrap().to_owned()
        };
        assert_eq!(type_of(&expected), type_of(&found), "{item}");
        let digest_header = |response: &Response| response.headers().get("docker-content-digest").cloned();
        assert_eq!(digest_header(&expected), digest_header(&found), "{item}");
        let bytes = found.bytes().await.unwrap();
        assert_eq!(expected.bytes().await.unwrap(), bytes, "{item}");
        bytes
    }
}

async fn get(url: String) -> Response {
    let types = format!("{MANIFEST}, {INDEX}, */*");
    http::client().get(url).header("accept", types).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_pass_as_the_registry_has_them() {
    let world = World::start().await;
    let empty = world.blob(EMPTY, b"{}").await;
    let chart_config = world.blob("application/vnd.cncf.helm.config.v1+json", b"{\"name\":\"web\"}").await;
    let chart = world.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"a chart").await;
    let payload = world.blob("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":{}}").await;
    let image_config = world.blob("application/vnd.oci.image.config.v1+json", b"{\"os\":\"linux\"}").await;
    let manifest = |config: &Value, layers: &[&Value]| json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let chart = manifest(&chart_config, &[&chart]);
    let subject = world.push("chart-1.2.0", &chart).await;
    let signature = format!("{}.sig", subject["digest"].as_str().unwrap().replace(':', "-"));
    let mut artifact = manifest(&empty, &[&empty]);
    artifact["artifactType"] = json!("application/vnd.example.sbom.v1");
    artifact["subject"] = subject.clone();
    let of_anything = json!({ "schemaVersion": 2, "mediaType": INDEX, "artifactType": "x/collection",
        "subject": subject, "manifests": [subject] });
    let documents = [
        ("chart-1.2.0", chart),
        (signature.as_str(), manifest(&image_config, &[&payload])),
        ("sbom", artifact),
        ("bare", manifest(&empty, &[])),
        ("collection", of_anything),
    ];
    for (tag, document) in &documents {
        let pushed = world.push(tag, document).await;
        let by_tag = world.assert_same(&format!("manifests/{tag}")).await;
        let digest = pushed["digest"].as_str().unwrap();
        assert_eq!(digest_of(&by_tag), digest);
        world.assert_same(&format!("manifests/{digest}")).await;
        let blobs = document["layers"].as_array().into_iter().flatten().chain(document.get("config"));
        for blob in blobs {
            world.assert_same(&format!("blobs/{}", blob["digest"].as_str().unwrap())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_found_by_tag_where_the_registry_has_no_other_way() {
    let world = World::start().await;
    let empty = world.blob(EMPTY, b"{}").await;
    let image = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty] });
    let subject = world.push("v1", &image).await;
    let mut artifact = image.clone();
    artifact["artifactType"] = json!("x/signature");
    artifact["subject"] = subject.clone();
    let referrer = world.push("a1", &artifact).await;
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [referrer] });
    let digest = subject["digest"].as_str().unwrap();
    let fallback = digest.replace(':', "-");
    world.push(&fallback, &list).await;

    let referrers = format!("referrers/{digest}");
    assert_eq!(world.of_registry(&referrers).await.status(), 404);
    let answer = world.of_mirror(&referrers).await;
    assert_eq!(answer.status(), 404);
    let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told["errors"][0]["code"], "UNSUPPORTED", "clients believe NAME_UNKNOWN and look no further");
    let found: Value =
        serde_json::from_slice(&world.assert_same(&format!("manifests/{fallback}")).await).unwrap();
    assert_eq!(found["manifests"][0]["digest"], referrer["digest"]);

    world.assert_same("tags/list").await;
    assert_eq!(world.of_mirror("referrers/sha256:0").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_remembered_while_the_registry_is_away() {
    let mut world = World::start().await;
    let empty = world.blob(EMPTY, b"{}").await;
    let image = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [] });
    world.push("v1", &image).await;
    let before = world.assert_same("tags/list").await;
    world.cluster.registry.kill();
    world.cluster.link.cut();
    let after = world.of_mirror("tags/list").await;
    assert_eq!((after.status().as_u16(), after.bytes().await.unwrap()), (200, before));
    let unknown =
        http::client().get(world.cluster.peers[0].url("team/unknown/tags/list")).send().await.unwrap();
    assert_eq!(unknown.status(), 503, "nobody may take it for an empty list");
}
