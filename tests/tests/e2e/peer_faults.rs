//! A peer dies in the middle of a pull.

use std::time::Duration;

use shoal_tests::{cluster::Cluster, containerd::Client, fixtures::PROOF, wait::eventually};

use crate::pull::{pull_everywhere, run_everywhere};

const PROGRAM: [&str; 2] = ["/bin/proof", "--version"];
const MEBIBYTE: u64 = 1024 * 1024;
const HALF_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn the_others_do_not_mind_and_its_own_runtime_finishes_from_the_origin() {
    let (mut cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(10 * MEBIBYTE);

    let reference = image.by_tag();
    let pulls = pull_everywhere(&containerds, Client::Ctr, &reference);
    let kill = async {
        cluster.link.passed(image.size_bytes() / 2, HALF_WITHIN).await;
        cluster.peers[0].kill();
    };
    tokio::join!(pulls, kill);

    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;
    let gets = cluster.registry.blob_gets();
    assert!(gets[&image.largest().digest] <= 2, "the seed, and the runtime of the dead peer: {gets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_that_comes_back_keeps_what_it_had() {
    let (mut cluster, fixtures) = Cluster::start(1, 1).await;
    let image = fixtures.image("large", "v1");
    let layer = image.largest();
    cluster.link.limit(60 * MEBIBYTE);

    let before_bytes = {
        let peer = &cluster.peers[0];
        let half = async {
            eventually("half of the layer at the peer", HALF_WITHIN, async || {
                let received_bytes = received(&peer.metrics().await);
                (received_bytes > layer.size_bytes / 2).then_some(received_bytes)
            })
            .await
        };
        tokio::select! {
            got = peer.get_blob(&image, layer) => panic!("all of it before half of it: {got:?}"),
            received_bytes = half => received_bytes,
        }
    };
    cluster.peers[0].kill();
    cluster.link.limit(0);
    cluster.peers[0].restart().await;
    cluster.met().await;
    cluster.get_everywhere(&image).await;

    let after_bytes = received(&cluster.peers[0].metrics().await);
    println!("{} MiB before the kill, {} MiB after", before_bytes / MEBIBYTE, after_bytes / MEBIBYTE);
    // What was written in the last moments is not durable, and is fetched again.
    let lost_bytes = 64 * MEBIBYTE;
    assert!(after_bytes <= layer.size_bytes - before_bytes + lost_bytes, "it fetched again what it had");
    cluster.assert_one_get_each(std::slice::from_ref(layer)).await;
}

fn received(metrics: &shoal_tests::metrics::Metrics) -> u64 {
    metrics.received_bytes("seed") + metrics.received_bytes("peers")
}
