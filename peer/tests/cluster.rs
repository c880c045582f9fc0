//! Nodes in one process: what they know of each other, and how soon.
#![allow(clippy::expect_used, reason = "a test's helpers say what they expect")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use shoal_peer::{
    config::{Admin, Config, InputFile, Lane, Mirror, Swarm},
    node::Node,
};
use shoal_protocol::membership::{ClusterKey, Role};

/// Less than the time between two announcements: whoever is known by then was asked, not overheard.
const AT_ONCE: Duration = Duration::from_millis(2500);

fn config(folder: &Path, name: &str, key: &ClusterKey, bootstrap: Option<SocketAddr>) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let key_file = folder.join(format!("{name}.key"));
    std::fs::write(&key_file, key.to_text()).expect("a key file");
    Config {
        data_dir: folder.join(name),
        cluster_key_file: Some(InputFile(key_file)),
        mirror: Mirror { listen, ..Mirror::default() },
        swarm: Swarm {
            listen,
            bootstrap: bootstrap.map(Into::into).into_iter().collect(),
            ..Swarm::default()
        },
        lane: Lane { listen, ..Lane::default() },
        admin: Admin { listen },
        ..Config::default()
    }
}

async fn status(node: &Node) -> serde_json::Value {
    // An error means that another test has done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("http://{}/api/v1/status", node.admin());
    let text = reqwest::get(url).await.expect("the admin page").text().await.expect("a body");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_knows_its_seed_before_the_seed_announces_itself_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = ClusterKey::from_root([5; 32]);
    let seed = Node::start(config(folder.path(), "seed", &key, None), Role::Seed).await.expect("a seed");
    let started = Instant::now();
    // It connects while it still finds out its own addresses; that must not be lost.
    let member = config(folder.path(), "peer", &key.member_only(), Some(seed.swarm()));
    let peer = Node::start(member, Role::Peer).await.expect("a peer");
    assert!(peer.wait_for_seed(AT_ONCE.saturating_sub(started.elapsed())).await, "the seed is not known yet");

    peer.shutdown().await;
    let deadline = Instant::now() + AT_ONCE;
    while status(&seed).await["inventory"]["nodes"] != 1 {
        assert!(Instant::now() < deadline, "a peer that said goodbye still counts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_key_makes_no_seed_and_a_strange_key_no_member() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = ClusterKey::from_root([6; 32]);
    let refused =
        Node::start(config(folder.path(), "false-seed", &key.member_only(), None), Role::Seed).await;
    let reason = refused.err().expect("no seed").to_string();
    assert!(reason.contains("this node can't be a seed"), "{reason}");

    let seed = Node::start(config(folder.path(), "seed", &key, None), Role::Seed).await.expect("a seed");
    let strange = ClusterKey::from_root([7; 32]);
    let config = config(folder.path(), "stranger", &strange, Some(seed.swarm()));
    let stranger = Node::start(config, Role::Peer).await.expect("a node");
    assert!(!stranger.wait_for_seed(Duration::from_secs(1)).await, "a stranger knows the seed");
    assert_eq!(status(&stranger).await["inventory"]["nodes"], 1);
    assert_eq!(status(&seed).await["connected_nodes"], serde_json::json!([]));
    stranger.shutdown().await;
    seed.shutdown().await;
}
