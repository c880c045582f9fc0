//! A node that does not hold the cluster's key.

use std::time::Duration;

use shoal_tests::{
    cluster::Cluster,
    containerd::{Client, Containerd},
    shoal::{Node, Role, Setup, new_cluster_key},
};

/// Time enough to be let in, for who would be.
const KNOCK_FOR: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_nothing_and_its_runtime_goes_to_the_origin() {
    let (cluster, fixtures) = Cluster::start(1, 1).await;
    let image = fixtures.image("many-layers", "v1");
    let member = Containerd::start(Some(cluster.peers[0].mirror()), cluster.origin()).await;
    member.pull(Client::Ctr, &image.by_tag()).await.unwrap();
    cluster.assert_no_runtime_at_the_origin();

    let cluster_key = new_cluster_key(cluster.folder(), "other.key").await;
    let setup = Setup { cluster_key, ..cluster.setup(Role::Peer) };
    let stranger = Node::start_unready("stranger", &setup, cluster.folder()).await;
    tokio::time::sleep(KNOCK_FOR).await;
    let metrics = stranger.metrics().await;
    assert_eq!((metrics.swarm_peers(), metrics.inventory_blobs()), (0, 0));
    assert_eq!(cluster.peers[0].metrics().await.swarm_peers(), 1, "members know each other only");

    let runtime = Containerd::start(Some(stranger.mirror()), cluster.origin()).await;
    runtime.pull(Client::Ctr, &image.by_tag()).await.unwrap();
    let direct =
        cluster.registry.requests().into_iter().filter(|request| request.agent.starts_with("containerd"));
    assert!(direct.count() >= image.blobs.len(), "it got them from the origin itself");
    let metrics = stranger.metrics().await;
    assert_eq!(metrics.received_bytes("peers") + metrics.received_bytes("seed"), 0);
}
