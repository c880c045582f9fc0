//! Every page over a real socket.

use std::{net::SocketAddr, sync::Arc};

use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Admin, Readiness, StatusSource};
use crate::{
    metrics::Metrics,
    preheat::{Preheat, memory::Memory},
    server::test_client::{Client, Reply, ask},
};

struct Fixed;

impl StatusSource for Fixed {
    fn status(&self) -> serde_json::Value {
        json!({ "zone": "a", "peers": 3 })
    }
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

async fn start(readiness: &Readiness) -> Running {
    start_with(readiness, Memory::default()).await
}

async fn start_with(readiness: &Readiness, memory: Memory) -> Running {
    let registry = prometheus::Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let memory = Arc::new(memory);
    let preheat = Preheat::new(memory.clone(), memory, shutdown.clone());
    let admin = Admin::new(readiness.clone(), registry, Arc::new(Fixed), preheat);
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { admin.serve(listener, &metrics, stop).await });
    Running { address, shutdown, serving }
}

async fn get(running: &Running, path: &str) -> (u16, String, Reply) {
    let reply = ask(running.address, "GET", path, &[]).await;
    (reply.head.status, String::from_utf8(reply.body.clone()).unwrap(), reply)
}

#[tokio::test]
async fn a_node_is_alive_before_it_is_ready() {
    let readiness = Readiness::default();
    let store = readiness.condition("store");
    let swarm = readiness.condition("swarm");
    let running = start(&readiness).await;
    assert_eq!(get(&running, "/healthz").await.0, 200);

    let (status, text, _) = get(&running, "/readyz").await;
    assert_eq!((status, text.as_str()), (503, "wait store: starting\nwait swarm: starting\nnot ready\n"));
    store.holds();
    swarm.waits("no peer answers");
    let (status, text, _) = get(&running, "/readyz").await;
    assert_eq!((status, text.as_str()), (503, "ok   store\nwait swarm: no peer answers\nnot ready\n"));
    swarm.holds();
    let (status, text, _) = get(&running, "/readyz").await;
    assert_eq!((status, text.as_str()), (200, "ok   store\nok   swarm\nready\n"));
    store.waits("disk full");
    assert_eq!(get(&running, "/readyz").await.0, 503);
    assert_eq!(get(&running, "/healthz").await.0, 200);
}

#[tokio::test]
async fn metrics_and_status_are_shown() {
    let running = start(&Readiness::default()).await;
    let (status, text, reply) = get(&running, "/metrics").await;
    assert_eq!(status, 200);
    reply.head.has(&[("content-type", "text/plain; version=0.0.4")]);
    assert!(text.contains("shoal_http_connections{listener=\"admin\"} 1\n"), "{text}");

    let (status, text, reply) = get(&running, "/api/v1/status?pretty").await;
    assert_eq!(status, 200);
    reply.head.has(&[("content-type", "application/json")]);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told, Fixed.status());
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let running = start(&Readiness::default()).await;
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/status", "/"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let reply = ask(running.address, method, path, &[]).await;
            assert_eq!(reply.head.status, 405, "{method} {path}");
            reply.head.has(&[("allow", "GET, HEAD")]);
        }
        let with_body = ask(running.address, "GET", path, &[("Content-Length", "1")]).await;
        assert_eq!(with_body.head.status, 400);
        assert!(ask(running.address, "HEAD", path, &[]).await.body.is_empty());
    }
    for path in ["/", "/v2/", "/healthz/", "/api/v1/status/../../metrics", "/debug/pprof"] {
        let (status, text, _) = get(&running, path).await;
        assert_eq!(status, 404, "{path}");
        assert!(text.contains("/readyz"), "{text}");
    }
}

/// A node before one image, `docker.io/library/app:v1`.
async fn start_with_image() -> Running {
    let mut memory = Memory::default();
    let (manifest, _) = memory.image("app", 3);
    memory.tag("docker.io/library/app:v1", manifest);
    start_with(&Readiness::default(), memory).await
}

async fn post(running: &Running, headers: &str, body: &[u8]) -> (u16, String, Reply) {
    let mut client = Client::connect(running.address).await;
    let head = format!("POST /api/v1/preheat HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}");
    client.send(format!("{head}Content-Length: {}\r\n\r\n", body.len())).await;
    client.send(body).await;
    let head = client.head().await;
    let body = client.until_fin().await.unwrap();
    (head.status, String::from_utf8(body.clone()).unwrap(), Reply { head, body })
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn an_order_is_taken_followed_and_found_in_the_list() {
    let running = start_with_image().await;
    let (status, text, reply) = post(&running, JSON, br#"{"images":["app:v1"]}"#).await;
    assert_eq!(status, 202, "{text}");
    let job: serde_json::Value = serde_json::from_str(&text).unwrap();
    let path = format!("/api/v1/preheat/{}", job["id"].as_str().unwrap());
    reply.head.has(&[("location", &path), ("content-type", "application/json")]);
    let report = loop {
        let (status, text, _) = get(&running, &path).await;
        assert_eq!(status, 200);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        if report["state"] != "running" {
            break report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let image = &report["images"][0];
    assert_eq!((&report["state"], &image["state"]), (&json!("done"), &json!("done")));
    assert_eq!((&image["blobs_done"], &image["bytes_total"]), (&json!(3), &json!(3000)));
    let (_, text, _) = get(&running, "/api/v1/preheat").await;
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&list["jobs"][0]["id"], &list["jobs"][0]["images_done"]), (&job["id"], &json!(1)));
    let cancelled = ask(running.address, "DELETE", &path, &[]).await;
    let cancelled: serde_json::Value = serde_json::from_slice(&cancelled.body).unwrap();
    assert_eq!(cancelled, report, "it had ended");
}

#[tokio::test]
async fn no_web_page_can_order_or_cancel() {
    let running = start_with_image().await;
    let order = br#"{"images":["app:v1"]}"#;
    for (headers, expected) in [
        (format!("{JSON}Origin: http://evil.example\r\n"), 403),
        (format!("{JSON}Origin: null\r\n"), 403),
        ("Content-Type: text/plain\r\n".to_owned(), 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n".to_owned(), 415),
        (String::new(), 415),
    ] {
        let (status, text, _) = post(&running, &headers, order).await;
        assert_eq!(status, expected, "{headers}: {text}");
    }
    let delete = ask(running.address, "DELETE", "/api/v1/preheat/1", &[("Origin", "http://a")]).await;
    assert_eq!(delete.head.status, 403);
    assert_eq!(get(&running, "/api/v1/preheat").await.1, r#"{"jobs":[]}"#);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_says_why() {
    let running = start_with_image().await;
    let long = vec![b' '; 300 * 1024];
    for (body, expected, why) in [
        (&b"{"[..], 400, "EOF"),
        (br#"{"images":[]}"#, 400, "no image is named"),
        (br#"{"images":["A"]}"#, 400, "\"A\" names no image"),
        (br#"{"images":["a"],"platforms":["x"]}"#, 400, "\"x\" names no platform"),
        (br#"{"images":["a"],"force":true}"#, 400, "force"),
        (br#"{"images":["a"],"nodes":0}"#, 400, "one node or more"),
        (br#"{"images":["a"],"nodes":3}"#, 409, "3 nodes are wanted and 1 are live"),
        (br#"{"images":["a"],"zone":"b"}"#, 409, "no live node is in the zone \"b\""),
        (&long, 413, "split the order"),
    ] {
        let (status, text, reply) = post(&running, JSON, body).await;
        assert_eq!(status, expected, "{text}");
        assert!(text.contains(why), "{text}");
        reply.head.has(&[("connection", "close")]);
    }
}

#[tokio::test]
async fn what_can_not_be_done_with_jobs_says_what_can() {
    let running = start_with_image().await;
    for (method, path, status, allowed) in [
        ("DELETE", "/api/v1/preheat", 405, "GET, HEAD, POST"),
        ("OPTIONS", "/api/v1/preheat", 405, "GET, HEAD, POST"),
        ("POST", "/api/v1/preheat/1", 405, "GET, HEAD, DELETE"),
        ("GET", "/api/v1/preheat/1", 404, "GET, HEAD, DELETE"),
        ("DELETE", "/api/v1/preheat/1", 404, "GET, HEAD, DELETE"),
        ("DELETE", "/api/v1/preheat/", 404, "GET, HEAD, DELETE"),
    ] {
        let reply = ask(running.address, method, path, &[]).await;
        assert_eq!(reply.head.status, status, "{method} {path}");
        reply.head.has(&[("allow", allowed)]);
    }
    let with_body = ask(running.address, "GET", "/api/v1/preheat", &[("Content-Length", "1")]).await;
    assert_eq!(with_body.head.status, 400);
    assert_eq!(get(&running, "/api/v1/preheats").await.0, 404);
}

#[tokio::test]
async fn a_canary_is_started_told_of_and_ended() {
    let running = start(&Readiness::default()).await;
    let started = ask(running.address, "POST", "/api/v1/canary", &[("Content-Length", "0")]).await;
    let told: serde_json::Value = serde_json::from_slice(&started.body).unwrap();
    assert_eq!((started.head.status, &told["repository"]), (201, &json!("shoal-canary")));
    let path = format!("/api/v1/canary/{}", told["tag"].as_str().unwrap());
    assert_eq!(get(&running, &path).await.1, r#"{"registries":{}}"#);
    for (method, path, headers, status, allowed) in [
        ("POST", "/api/v1/canary", &[("Origin", "http://evil.example")][..], 403, "POST"),
        ("GET", "/api/v1/canary", &[], 405, "POST"),
        ("POST", &path, &[("Content-Length", "2")], 400, "GET, HEAD, DELETE"),
        ("DELETE", &path, &[("Origin", "null")], 403, "GET, HEAD, DELETE"),
        ("DELETE", "/api/v1/canary/none", &[], 404, "GET, HEAD, DELETE"),
    ] {
        let reply = ask(running.address, method, path, headers).await;
        assert_eq!(reply.head.status, status, "{method} {path}");
        reply.head.has(&[("allow", allowed)]);
    }
    assert_eq!(ask(running.address, "DELETE", &path, &[]).await.head.status, 200);
    assert_eq!(get(&running, &path).await.0, 404);
}

#[tokio::test]
async fn it_stops_when_told() {
    let running = start(&Readiness::default()).await;
    running.shutdown.cancel();
    running.serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err());
}
