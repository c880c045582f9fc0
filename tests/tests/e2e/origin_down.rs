//! The registry is gone, and somebody has the image.

use shoal_tests::{cluster::Cluster, containerd::Client, fixtures::HELLO};

use crate::pull::{pull_everywhere, run_everywhere};

const PROGRAM: [&str; 1] = ["/usr/local/bin/hello"];

#[tokio::test(flavor = "multi_thread")]
async fn the_others_still_pull_it_by_tag_and_by_digest() {
    let (mut cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("debian", "v1");
    containerds[0].pull(Client::Ctr, &image.by_tag()).await.unwrap();

    cluster.registry.kill();
    cluster.link.cut();
    for (client, reference) in [(Client::Ctr, image.by_tag()), (Client::Cri, image.by_digest())] {
        pull_everywhere(&containerds[1..], client, &reference).await;
        run_everywhere(&containerds[1..], client, &reference, &PROGRAM, HELLO).await;
    }
    pull_everywhere(&containerds, Client::Cri, &image.by_tag()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_that_every_node_is_killed_too() {
    let (mut cluster, fixtures) = Cluster::start(1, 2).await;
    let image = fixtures.image("many-layers", "v1");
    let containerds = cluster.containerds().await;
    containerds[0].pull(Client::Ctr, &image.by_tag()).await.unwrap();

    cluster.registry.kill();
    cluster.link.cut();
    for node in cluster.seeds.iter_mut().chain(&mut cluster.peers) {
        node.kill();
    }
    for node in cluster.seeds.iter_mut().chain(&mut cluster.peers) {
        node.restart().await;
    }
    cluster.met().await;
    containerds[1].pull(Client::Ctr, &image.by_tag()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_find_each_other_and_the_image_without_a_seed() {
    let (mut cluster, fixtures) = Cluster::start(1, 3).await;
    let image = fixtures.image("many-layers", "v1");
    let containerds = cluster.containerds().await;
    containerds[0].pull(Client::Ctr, &image.by_tag()).await.unwrap();

    cluster.registry.kill();
    cluster.link.cut();
    cluster.seeds[0].kill();
    pull_everywhere(&containerds[1..], Client::Ctr, &image.by_digest()).await;
}
