//! A peer sends pieces that are not what they should be.

use std::fs;

use shoal_tests::{
    cluster::Cluster,
    shoal::{Node, Role},
};

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

/// Keeps length and name, and changes every 4096th byte.
fn rot(file: &std::path::Path) {
    let mut bytes = fs::read(file).unwrap();
    for byte in bytes.iter_mut().step_by(4096) {
        *byte ^= 0xff;
    }
    fs::write(file, bytes).unwrap();
}
