//! Tags and referrers, through a peer and a seed.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use shoal_peer::node::Node;

use crate::{
    Setting,
    origin::{Content, INDEX, MANIFEST},
};

const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const A_WHILE: Duration = Duration::from_secs(3600);

/// An image with two signatures and a bill of materials, each an artifact that refers to it.
fn signed_image() -> (Content, Value) {
    let mut content = Content::default();
    let empty = content.blob(EMPTY, b"{}");
    let layer = content.blob("application/vnd.oci.image.layer.v1.tar", &[7; 3000]);
    let image = content.manifest(&json!({ "mediaType": MANIFEST, "config": empty, "layers": [layer] }));
    for (tag, artifact_type) in [("s1", "x/signature"), ("s2", "x/signature"), ("b1", "x/sbom")] {
        let payload = content.blob("text/plain", tag.as_bytes());
        let artifact = json!({ "mediaType": MANIFEST, "artifactType": artifact_type, "config": empty,
            "layers": [payload], "subject": image, "annotations": { "name": tag } });
        let artifact = content.manifest(&artifact);
        content.tag(tag, &artifact);
    }
    content.tag("v1", &image);
    (content, image)
}

async fn get(node: &Node, target: &str) -> reqwest::Response {
    reqwest::get(format!("http://{}{target}", node.mirror())).await.expect("an answer")
}

async fn read(answer: reqwest::Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

/// Where the answer says that the next page is.
fn next(answer: &reqwest::Response) -> Option<String> {
    let link = answer.headers().get("link")?.to_str().expect("text");
    Some(link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?.to_owned())
}

/// The entries of all pages from `target` on, by a client that knows no more than the mirror's address.
async fn all_pages(node: &Node, mut target: String, of: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    loop {
        let answer = get(node, &target).await;
        assert_eq!(answer.status(), 200, "{target}");
        let next = next(&answer);
        let page = read(answer).await;
        entries.extend(page[of].as_array().expect("a list").iter().cloned());
        match next {
            Some(next) => target = next,
            None => return entries,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_through_peer_and_seed_page_by_page_and_cost_one_request_each() {
    let (content, image) = signed_image();
    let setting = Setting::new(content).await;
    let seed = setting.seed(A_WHILE).await;
    let peer = setting.peer("peer", "", &seed).await;
    let (registry, subject) = (setting.origin.address, image["digest"].as_str().expect("a digest"));
    let referrers = format!("/v2/app/referrers/{subject}");

    let tags =
        join_all((0..20).map(|_| all_pages(&peer, format!("/v2/app/tags/list?n=2&ns={registry}"), "tags")));
    assert!(tags.await.iter().all(|tags| *tags == ["b1", "s1", "s2", "v1"]));
    assert_eq!(setting.origin.asked("tags/list"), 2);

    let entries = all_pages(&peer, format!("{referrers}?ns={registry}"), "manifests").await;
    assert_eq!(entries.len(), 3);
    // A client that has the registry in the path finds its way, too.
    let in_path = format!("/v2/{registry}/app/referrers/{subject}");
    assert_eq!(all_pages(&peer, in_path, "manifests").await, entries);
    assert_eq!(setting.origin.asked("referrers/"), 3);

    let filtered = get(&peer, &format!("{referrers}?artifactType=x%2Fsbom&ns={registry}")).await;
    assert_eq!(filtered.headers()["oci-filters-applied"], "artifactType");
    assert_eq!(filtered.headers()["content-type"], INDEX);
    let filtered = read(filtered).await;
    let [sbom] = filtered["manifests"].as_array().expect("a list").as_slice() else { panic!("{filtered}") };
    assert_eq!(sbom["annotations"]["name"], "b1");

    // What the list leads to passes under its own type, byte for byte.
    let artifact = format!("/v2/app/manifests/{}?ns={registry}", sbom["digest"].as_str().expect("a digest"));
    let artifact = get(&peer, &artifact).await;
    assert_eq!(artifact.headers()["content-type"], MANIFEST);
    let bytes = artifact.bytes().await.expect("the manifest");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!((&document["artifactType"], &document["subject"]), (&json!("x/sbom"), &image));
    assert_eq!(bytes.len(), sbom["size"]);
    peer.shutdown().await;
    seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_outlive_their_origin_and_nobody_takes_an_outage_for_none() {
    let (content, image) = signed_image();
    let setting = Setting::new(content).await;
    let seed = setting.seed(Duration::ZERO).await;
    let peer = setting.peer("peer", "", &seed).await;
    let registry = setting.origin.address;
    let subject = image["digest"].as_str().expect("a digest");
    let referrers = format!("/v2/app/referrers/{subject}?ns={registry}");
    let before = get(&peer, &referrers).await.bytes().await.expect("a list");

    setting.origin.set_down(true);
    let stale = get(&peer, &referrers).await;
    assert_eq!(stale.status(), 200);
    assert!(stale.headers().contains_key("shoal-stale-seconds"));
    assert_eq!(stale.bytes().await.expect("a list"), before);
    assert_eq!(get(&peer, &format!("/v2/app/tags/list?ns={registry}")).await.status(), 503);

    setting.origin.set_down(false);
    let unknown = get(&peer, &format!("/v2/other/tags/list?ns={registry}")).await;
    assert_eq!(unknown.status(), 404);
    let unlisted = get(&peer, "/v2/app/tags/list?ns=elsewhere.example").await;
    assert_eq!(unlisted.status(), 403);
    peer.shutdown().await;
    seed.shutdown().await;
}
