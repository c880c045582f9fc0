//! Canaries: there while the doctor looks, and never looked for anywhere else.

use std::sync::Arc;

use prometheus::Registry;
use shoal_protocol::digest::{Algorithm, Digest};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{super::Mirror, memory::Memory, patient};
use crate::{
    access::AccessRules,
    canary::{Canaries, Seen},
    metrics::Metrics,
    server::test_client::ask,
};

#[tokio::test]
async fn a_canary_is_pulled_whole_by_whoever_names_it_how() {
    let canaries = Canaries::default();
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // A registry that wants logins of its own makes no difference: there is nothing to protect.
    let access = AccessRules::new(&[], &[], &["ghcr.io".parse().unwrap()]);
    let config = super::MirrorConfig { access, ..patient() };
    let mirror = Mirror::new(Arc::new(Memory::default()), config, metrics).unwrap();
    tokio::spawn(mirror.with_canaries(canaries.clone()).serve(listener, CancellationToken::new()));

    let tag = canaries.start().unwrap();
    for (path, query) in [
        ("shoal-canary", "?ns=ghcr.io"),
        ("ghcr.io/shoal-canary", ""),
        ("library/shoal-canary", ""),
        ("shoal-canary", "?ns=shoal-canary.invalid"),
    ] {
        let head = ask(address, "HEAD", &format!("/v2/{path}/manifests/{tag}{query}"), &[]).await;
        assert_eq!((head.head.status, head.body.len()), (200, 0), "{path}{query}");
        let digest = head.head.get("docker-content-digest").unwrap().to_owned();
        let manifest = ask(address, "GET", &format!("/v2/{path}/manifests/{digest}{query}"), &[]).await;
        assert_eq!(Digest::of(Algorithm::Sha256, &manifest.body).to_string(), digest);
        let document: serde_json::Value = serde_json::from_slice(&manifest.body).unwrap();
        for descriptor in [&document["config"], &document["layers"][0]] {
            let digest = descriptor["digest"].as_str().unwrap();
            let blob = ask(address, "GET", &format!("/v2/{path}/blobs/{digest}{query}"), &[]).await;
            assert_eq!(Digest::of(Algorithm::Sha256, &blob.body).to_string(), digest);
            assert_eq!(descriptor["size"], blob.body.len());
        }
    }
    let seen = canaries.sighting(&tag).unwrap();
    assert_eq!(seen.registries["ghcr.io"], Seen { manifests: 4, blobs: 4 });
    assert_eq!(seen.registries["docker.io"], Seen { manifests: 2, blobs: 2 });

    canaries.end(&tag);
    let gone = ask(address, "GET", &format!("/v2/shoal-canary/manifests/{tag}?ns=docker.io"), &[]).await;
    assert_eq!(gone.head.status, 404);
}

#[tokio::test]
async fn a_canary_that_is_none_is_looked_for_nowhere() {
    // What the content would give is not asked for.
    let content = Memory::default().tag("docker.io/library/shoal-canary", "v1", "application/json", b"{}");
    let mirror = super::Running::with(content).await;
    let reply = ask(mirror.address, "GET", "/v2/library/shoal-canary/manifests/v1?ns=docker.io", &[]).await;
    assert_eq!(reply.head.status, 404, "{reply:?}");
}
