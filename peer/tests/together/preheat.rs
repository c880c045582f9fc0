//! Orders for several nodes, with real ones: who fetches, what is told of each, and what becomes of those that leave.

use std::{collections::BTreeSet, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shoal_peer::node::Node;

use crate::{
    PATIENCE, Setting,
    origin::{Content, MANIFEST},
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const FRESH: Duration = Duration::from_secs(3600);

/// Images of two layers each, under the tags `v0`, `v1` and so on, and the digests of all their blobs.
fn images(count: u8) -> (Content, BTreeSet<String>) {
    let mut content = Content::default();
    let mut digests = BTreeSet::new();
    for number in 0..count {
        let config = content.blob(CONFIG, &[number, 0]);
        let layers = [1, 2].map(|layer| content.blob(LAYER, &[[number, layer]; 40_000].concat()));
        for blob in layers.iter().chain([&config]) {
            digests.insert(blob["digest"].as_str().expect("a digest").to_owned());
        }
        let image = content.manifest(&json!({ "mediaType": MANIFEST, "config": config, "layers": layers }));
        content.tag(&format!("v{number}"), &image);
    }
    (content, digests)
}

async fn api(node: &Node, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String) {
    let url = format!("http://{}/api/v1/preheat{path}", node.admin());
    let request = reqwest::Client::new().request(method, url);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("text"))
}

/// Gives an order, and tells the job's id.
async fn order(node: &Node, order: Value) -> String {
    let (status, job) = api(node, Method::POST, "", Some(order)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    let job: Value = serde_json::from_str(&job).expect("JSON");
    job["id"].as_str().expect("an id").to_owned()
}

async fn look(node: &Node, id: &str) -> Value {
    let (status, job) = api(node, Method::GET, &format!("/{id}"), None).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    serde_json::from_str(&job).expect("JSON")
}

/// How the job stands once `is_so`.
async fn until(node: &Node, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let job = look(node, id).await;
            if is_so(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(job) => job,
        Err(_) => panic!("it never comes so far: {}", look(node, id).await),
    }
}

async fn ended(node: &Node, id: &str) -> Value {
    until(node, id, |job| job["state"] != "running").await
}

/// The nodes of a job that stand so.
fn nodes(job: &Value, state: &str) -> BTreeSet<String> {
    let nodes = job["nodes"].as_array().expect("nodes").iter();
    let such = nodes.filter(|node| node["state"] == state);
    such.map(|node| node["node"].as_str().expect("an id").to_owned()).collect()
}

/// Blobs that a node holds, by its own word.
async fn held(node: &Node) -> u64 {
    let url = format!("http://{}/api/v1/status", node.admin());
    let status = reqwest::get(url).await.expect("the page").text().await.expect("text");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    status["store"]["blobs"].as_u64().expect("a number")
}

impl Setting {
    fn named(&self, tags: std::ops::Range<u8>) -> Vec<String> {
        tags.map(|number| format!("{}/app:v{number}", self.origin.address)).collect()
    }

    /// Waits until `node` knows as many live nodes.
    async fn until_known(&self, node: &Node, count: usize) {
        let known = async {
            loop {
                let url = format!("http://{}/api/v1/status", node.admin());
                let status = reqwest::get(url).await.expect("the page").text().await.expect("text");
                let status: Value = serde_json::from_str(&status).expect("JSON");
                if status["inventory"]["nodes"] == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("nodes that meet");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_fetches_and_nobody_else() {
    let (content, blobs) = images(2);
    let setting = Setting::new(content).await;
    let seed = setting.seed(FRESH).await;
    let peers = [
        setting.peer("a1", "a", &seed).await,
        setting.peer("a2", "a", &seed).await,
        setting.peer("b1", "b", &seed).await,
    ];
    setting.until_known(&seed, 4).await;

    let id = order(&seed, json!({ "images": setting.named(0..2), "zone": "a" })).await;
    let job = ended(&seed, &id).await;
    assert_eq!(job["state"], "done", "{job}");
    let expected: BTreeSet<String> = peers[..2].iter().map(|peer| peer.id().to_string()).collect();
    assert_eq!(nodes(&job, "done"), expected);
    for node in job["nodes"].as_array().expect("nodes") {
        let told = (&node["zone"], &node["images_done"], &node["bytes_done"], &node["bytes_total"]);
        assert_eq!(told, (&json!("a"), &json!(2), &json!(320_004), &json!(320_004)));
    }
    for image in job["images"].as_array().expect("images") {
        let told = (&image["state"], &image["blobs_done"], &image["bytes_done"]);
        assert_eq!(told, (&json!("done"), &json!(6), &json!(320_004)), "of both nodes together");
    }
    // Two manifests beside the blobs.
    for (peer, has) in peers.iter().zip([true, true, false]) {
        assert_eq!(held(peer).await, if has { blobs.len() as u64 + 2 } else { 0 });
    }
    for blob in &blobs {
        assert_eq!(
            setting.origin.asked(&format!("GET /v2/app/blobs/{blob}")),
            1,
            "the registry gives it once"
        );
    }

    let (status, why) =
        api(&seed, Method::POST, "", Some(json!({ "images": setting.named(0..1), "zone": "c" }))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(why, "no live node is in the zone \"c\"; there are nodes in no zone, a, b\n");
    for node in peers.into_iter().chain([seed]) {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_nodes_is_the_same_again() {
    let (content, _) = images(1);
    let setting = Setting::new(content).await;
    let seed = setting.seed(FRESH).await;
    let mut peers = Vec::new();
    for name in ["p1", "p2", "p3", "p4"] {
        peers.push(setting.peer(name, "z", &seed).await);
    }
    setting.until_known(&seed, 5).await;
    let two = json!({ "images": setting.named(0..1), "zone": "z", "nodes": 2 });

    let first = ended(&seed, &order(&seed, two.clone()).await).await;
    let chosen = nodes(&first, "done");
    assert_eq!((&first["state"], chosen.len()), (&json!("done"), 2), "{first}");
    let again = ended(&seed, &order(&seed, two).await).await;
    assert_eq!(nodes(&again, "done"), chosen);

    for node in peers.into_iter().chain([seed]) {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_takes_the_place_of_one_that_leaves() {
    let (content, _) = images(1);
    let setting = Setting::new(content).await;
    let seed = setting.seed(FRESH).await;
    let mut peers = Vec::new();
    for name in ["p1", "p2", "p3"] {
        peers.push(setting.peer(name, "z", &seed).await);
    }
    setting.until_known(&seed, 4).await;
    setting.origin.hold();
    let id = order(&seed, json!({ "images": setting.named(0..1), "zone": "z", "nodes": 2 })).await;
    let begun = until(&seed, &id, |job| {
        let nodes = job["nodes"].as_array().expect("nodes");
        nodes.len() == 2 && nodes.iter().all(|node| node["bytes_total"] == 160_002)
    });
    let chosen = nodes(&begun.await, "fetching");
    let leaving = peers.iter().position(|peer| chosen.contains(&peer.id().to_string())).expect("one of them");
    let leaving = peers.remove(leaving);
    let gone = leaving.id().to_string();
    leaving.shutdown().await;
    setting.origin.release();

    let job = ended(&seed, &id).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(nodes(&job, "out"), [gone].into());
    let expected: BTreeSet<String> = peers.iter().map(|peer| peer.id().to_string()).collect();
    assert_eq!(nodes(&job, "done"), expected);
    assert_eq!(job["images"][0]["bytes_done"], 320_004, "what the one had that left does not count");

    // A zone has nobody to stand in, and the others get theirs all the same.
    let (status, _) =
        api(&seed, Method::POST, "", Some(json!({ "images": ["a"], "zone": "z", "nodes": 3 }))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    for node in peers.into_iter().chain([seed]) {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_cancelled_on_its_nodes() {
    let mut content = Content::default();
    let config = content.blob(CONFIG, b"{}");
    let layers: Vec<Value> = (0..12).map(|number: u8| content.blob(LAYER, &[number; 1000])).collect();
    let image = content.manifest(&json!({ "mediaType": MANIFEST, "config": config, "layers": layers }));
    content.tag("v0", &image);
    let setting = Setting::new(content).await;
    let seed = setting.seed(FRESH).await;
    let peer = setting.peer("peer", "z", &seed).await;
    setting.until_known(&seed, 2).await;
    setting.origin.hold();
    let id = order(&seed, json!({ "images": setting.named(0..1), "zone": "z" })).await;
    until(&seed, &id, |job| job["nodes"][0]["bytes_total"] == 12_002).await;

    let (status, job) = api(&seed, Method::DELETE, &format!("/{id}"), None).await;
    let job: Value = serde_json::from_str(&job).expect("JSON");
    assert_eq!((status, &job["state"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(nodes(&job, "cancelled"), [peer.id().to_string()].into());
    let told = async {
        loop {
            let (_, jobs) = api(&peer, Method::GET, "", None).await;
            let jobs: Value = serde_json::from_str(&jobs).expect("JSON");
            assert_eq!(jobs["for_others"][0]["node"], seed.id().to_string());
            if jobs["for_others"][0]["state"] == "cancelled" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("that the peer is told");
    setting.origin.release();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(setting.origin.asked("/blobs/") < 13, "it went on");
    peer.shutdown().await;
    seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registry_lacks_fails_on_every_node_and_the_rest_comes() {
    let (content, _) = images(1);
    let setting = Setting::new(content).await;
    let seed = setting.seed(FRESH).await;
    let peer = setting.peer("peer", "z", &seed).await;
    setting.until_known(&seed, 2).await;
    let id = order(&seed, json!({ "images": setting.named(0..2), "nodes": 2 })).await;
    let job = ended(&seed, &id).await;
    assert_eq!(job["state"], "failed", "{job}");
    let states: Vec<_> =
        job["images"].as_array().expect("images").iter().map(|image| &image["state"]).collect();
    assert_eq!(states, ["done", "failed"]);
    let reason = "0 of 2 nodes have it; tag v1: the origin does not have it";
    assert_eq!(job["images"][1]["reason"], reason);
    assert_eq!(nodes(&job, "failed"), [seed.id(), peer.id()].map(|id| id.to_string()).into());
    let failure = format!("{}: tag v1: the origin does not have it", setting.named(1..2)[0]);
    assert_eq!(job["nodes"][0]["failures"], json!([failure]));
    peer.shutdown().await;
    seed.shutdown().await;
}
