//! Every page over a real socket.

use std::{net::SocketAddr, sync::Arc};

use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Admin, Readiness, StatusSource};
use crate::{
    metrics::Metrics,
    server::test_client::{Reply, ask},
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
    let registry = prometheus::Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let admin = Admin::new(readiness.clone(), registry, Arc::new(Fixed));
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

#[tokio::test]
async fn it_stops_when_told() {
    let running = start(&Readiness::default()).await;
    running.shutdown.cancel();
    running.serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err());
}
