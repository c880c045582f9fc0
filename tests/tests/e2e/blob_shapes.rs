//! Images of unusual shapes: many layers, one huge one, odd sizes, several platforms, a long manifest.

use futures::future::join_all;
use shoal_tests::{
    cluster::Cluster,
    containerd::{Client, Containerd},
    fixtures::PROOF,
    http,
    image::digest_of,
};

use crate::pull::{pull_everywhere, run_everywhere};

const PROGRAM: [&str; 2] = ["/bin/proof", "--version"];
const MEBIBYTE: u64 = 1024 * 1024;
/// What a node may have resident at rest, and while a layer of 1 GiB passes through.
const AT_REST_BYTES: u64 = 40 * MEBIBYTE;
const BUSY_BYTES: u64 = 200 * MEBIBYTE;

#[tokio::test(flavor = "multi_thread")]
async fn forty_layers_a_long_manifest_and_several_platforms() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;

    for repository in ["many-layers", "long-manifest", "platforms"] {
        let image = fixtures.image(repository, "v1");
        pull_everywhere(&containerds, Client::Ctr, &image.by_tag()).await;
        run_everywhere(&containerds, Client::Ctr, &image.by_tag(), &PROGRAM, PROOF).await;
        cluster.assert_one_get_each(&image.blobs).await;
    }

    let image = fixtures.image("platforms", "v1");
    let asked = cluster.registry.blob_gets();
    assert!(image.other_blobs.iter().all(|blob| !asked.contains_key(&blob.digest)), "nobody wanted those");
    fetch_everywhere(&containerds, &image.by_digest()).await;
    cluster.assert_one_get_each(&image.other_blobs).await;
    cluster.assert_no_runtime_at_the_origin();
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_of_one_byte_and_around_the_size_of_a_piece() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("odd-sizes", "v1");
    fetch_everywhere(&containerds, &image.by_tag()).await;
    cluster.assert_one_get_each(&image.blobs).await;
    cluster.assert_no_runtime_at_the_origin();
}

/// containerd refuses a blob of no bytes itself, so this one is asked for as other runtimes would.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_no_bytes() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let image = fixtures.image("empty-layer", "v1");
    let empty = image.blobs.iter().find(|blob| blob.size_bytes == 0).unwrap();
    let client = http::client();
    for peer in &cluster.peers {
        let head = client.head(peer.blob_url(&image, empty)).send().await.unwrap();
        assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "0"));
    }
    for got in join_all(cluster.peers.iter().map(|peer| peer.get_blob(&image, empty))).await {
        let body = got.unwrap();
        assert_eq!((body.len_bytes, body.digest, body.broken), (0, digest_of(&[]), None));
    }
    cluster.assert_one_get_each(std::slice::from_ref(empty)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_of_one_gibibyte_in_little_memory() {
    let (mut cluster, fixtures) = Cluster::start(1, 3).await;
    let image = fixtures.image("large", "v1");
    for peer in &mut cluster.peers {
        let resident_bytes = peer.process().resident_bytes();
        println!("{}: {} MiB resident at rest", peer.name(), resident_bytes / MEBIBYTE);
        assert!(resident_bytes < AT_REST_BYTES, "{}: {resident_bytes} bytes at rest", peer.name());
    }

    let reference = image.by_tag();
    let runtime = Containerd::start(Some(cluster.peers[0].mirror()), cluster.origin()).await;
    let (pulled, ()) = tokio::join!(runtime.pull(Client::Ctr, &reference), cluster.get_everywhere(&image));
    pulled.unwrap();
    let printed = runtime.run(Client::Ctr, &reference, &PROGRAM).await.unwrap();
    assert!(printed.starts_with(PROOF), "{printed}");

    cluster.assert_one_get_each(&image.blobs).await;
    cluster.assert_no_runtime_at_the_origin();
    for node in cluster.seeds.iter_mut().chain(&mut cluster.peers) {
        let peak_bytes = node.process().peak_resident_bytes();
        println!("{}: {} MiB resident at most", node.name(), peak_bytes / MEBIBYTE);
        assert!(peak_bytes < BUSY_BYTES, "{}: {peak_bytes} bytes", node.name());
    }
}

async fn fetch_everywhere(containerds: &[Containerd], reference: &str) {
    for fetched in join_all(containerds.iter().map(|containerd| containerd.fetch(reference))).await {
        fetched.unwrap();
    }
}
