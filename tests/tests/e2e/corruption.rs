//! A peer sends pieces that are not what they should be.

use std::fs;

use shoal_tests::{
    cluster::Cluster,
    containerd::Client,
    fixtures::PROOF,
    liar::Liar,
    shoal::{Node, Role},
};

use crate::pull::{pull_everywhere, run_everywhere};

const PROGRAM: [&str; 2] = ["/bin/proof", "--version"];
/// Slow enough that there is time to lie.
const LINK_BYTES_PER_S: u64 = 20 * 1024 * 1024;

/// Its disk has rotted under it: each piece that it sends is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rotten_peer_sends_reaches_nobody() {
    let (mut cluster, fixtures) = Cluster::start(1, 1).await;
    let image = fixtures.image("medium", "v1");
    let layer = image.largest();
    cluster.get_everywhere(&image).await;
    rot(&cluster.peers[0].blob_file(&layer.digest).await);
    // Only the rotten one can be asked before the seed is.
    let newcomer = Node::start("newcomer", &cluster.setup(Role::Peer), cluster.folder()).await;
    cluster.peers.push(newcomer);
    cluster.met().await;

    let body = cluster.peers[1].get_blob(&image, layer).await.unwrap();
    assert_eq!((body.broken, body.digest), (None, layer.digest.clone()));
    let metrics = cluster.peers[1].metrics().await;
    println!("{} pieces were refused", metrics.verification_failures());
    assert!(metrics.verification_failures() > 0, "the rotten peer was never asked");
    assert_eq!(metrics.strikes("corrupt_piece"), 1, "the rotten peer is told apart from the honest seed");
    cluster.assert_one_get_each(std::slice::from_ref(layer)).await;
}

/// A member that holds the cluster's key, and sends noise to all who fetch.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_told_apart_and_struck_while_everybody_pulls() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    let layer = image.largest();
    cluster.link.limit(LINK_BYTES_PER_S);
    let victims = cluster.peers.iter().map(Node::swarm).collect();
    let liar = Liar::start(&cluster.setup(Role::Peer).cluster_key, victims, &layer.digest);

    let reference = image.by_tag();
    pull_everywhere(&containerds, Client::Ctr, &reference).await;
    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;

    println!("{} lies were told", liar.lies_told());
    let mut lied_to = 0;
    for peer in &cluster.peers {
        let metrics = peer.metrics().await;
        let struck = (metrics.strikes("corrupt_piece"), metrics.strikes("unasked_piece"));
        // A peer that had honest offers all the time may never have asked the liar for anything.
        let expected = if metrics.verification_failures() > 0 { (1, 1) } else { (0, 0) };
        assert_eq!(struck, expected, "{}: one liar, told apart from the honest ones", peer.name());
        lied_to += usize::from(metrics.verification_failures() > 0);
    }
    assert!(lied_to > 0, "nobody was lied to");
    cluster.assert_one_get_each(&image.blobs).await;
    cluster.assert_no_runtime_at_the_origin();
}

/// Keeps length and name, and changes every 4096th byte.
fn rot(file: &std::path::Path) {
    let mut bytes = fs::read(file).unwrap();
    for byte in bytes.iter_mut().step_by(4096) {
        *byte ^= 0xff;
    }
    fs::write(file, bytes).unwrap();
}
