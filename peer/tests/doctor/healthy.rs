//! A healthy cluster: nothing is found, and soon.

use std::time::Duration;

use shoal_peer::doctor::Report;
use shoal_protocol::membership::{ClusterKey, Role};

use crate::{
    patient::Patient,
    server::{Server, reply},
};

/// Longest time for all checks of a healthy node.
const SOON: Duration = Duration::from_secs(3);

fn assert_well(report: &Report, least: usize) {
    assert!(report.problems().is_empty(), "{:#?}", report.problems());
    let text = shoal_peer::doctor::to_text(report);
    assert!(report.summary().ok >= least, "{text}");
    assert!(report.took <= SOON, "{text}");
    println!("{} checks, {} ok, in {:?}", report.checks.len(), report.summary().ok, report.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_on_a_healthy_seed_and_its_peer() {
    let registry = Server::start(|_| reply("200 OK", "", "{}")).await;
    let key = ClusterKey::from_root([31; 32]);
    let section =
        format!("[[registry]]\nhost = 'registry.test'\nendpoints = ['http://{}']\n", registry.address);
    let (seed_host, seed) = Patient::with_node(Role::Seed, &key, &section).await;
    let bootstrap = format!("bootstrap = ['{}']\n", seed.swarm());
    let (peer_host, peer) = Patient::with_node(Role::Peer, &key.member_only(), &bootstrap).await;
    assert!(peer.wait_for_seed(Duration::from_secs(20)).await);
    for host in [&seed_host, &peer_host] {
        wait_until_ready(host).await;
    }
    assert_well(&seed_host.examine(&[]).await, 30);
    assert_well(&peer_host.examine(&[]).await, 20);
    peer.shutdown().await;
    seed.shutdown().await;
}

/// Readiness is looked at twice a second.
async fn wait_until_ready(host: &Patient) {
    for _ in 0..100 {
        if host.examine(&["node-ready"]).await.problems().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
