//! The main job: a real image, by tag and by digest, over `ctr` and over the CRI service.

use shoal_tests::{cluster::Cluster, containerd::Client, fixtures::HELLO};

use crate::pull::{pull_everywhere, remove_everywhere, run_everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn three_runtimes_pull_debian_at_once_and_the_registry_is_asked_once() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("debian", "v1");

    for client in [Client::Ctr, Client::Cri] {
        for reference in [image.by_tag(), image.by_digest()] {
            pull_everywhere(&containerds, client, &reference).await;
            run_everywhere(&containerds, client, &reference, &["/usr/local/bin/hello"], HELLO).await;
            remove_everywhere(&containerds, client, &reference).await;
        }
    }

    cluster.assert_one_get_each(&image.blobs).await;
    cluster.assert_no_runtime_at_the_origin();
    let from_origin = cluster.seeds[0].metrics().await.received_bytes("origin");
    let once_bytes = image.document_bytes + image.size_bytes();
    assert_eq!(from_origin, once_bytes, "the seed pulls each byte once");
    for node in cluster.nodes() {
        let metrics = node.metrics().await;
        assert_eq!(metrics.verification_failures(), 0, "{}", node.name());
    }
}
