//! Runtimes that name the registry in the path: skopeo, and with it Podman, Buildah and CRI-O.

use std::{fs, path::Path, process::Command, time::Duration};

use futures::future::join_all;
use shoal_tests::{
    cluster::Cluster,
    process::run,
    shoal::Node,
    stored::{Image, PLAIN_REGISTRY_HOST},
};

const PULL_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_through_a_mirror_of_its_registries_conf() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let image = fixtures.image("debian", "v1");

    let pulls = cluster.peers.iter().map(|peer| skopeo_copy(peer, &image, cluster.folder()));
    for copied in join_all(pulls).await {
        copied.unwrap();
    }
    for peer in &cluster.peers {
        for blob in &image.blobs {
            let hex = blob.digest.strip_prefix("sha256:").unwrap();
            let file = cluster.folder().join(peer.name()).join("image").join(hex);
            assert_eq!(fs::metadata(file).unwrap().len(), blob.size_bytes, "{}: {hex}", peer.name());
        }
    }
    cluster.assert_one_get_each(&image.blobs).await;
}

/// Nobody resolves the registry's name: what is not at the mirror is nowhere.
async fn skopeo_copy(peer: &Node, image: &Image, parent: &Path) -> Result<String, String> {
    let folder = parent.join(peer.name());
    let registries = folder.join("registries.conf");
    let text = format!(
        "[[registry]]\nlocation = '{PLAIN_REGISTRY_HOST}'\n\
         [[registry.mirror]]\nlocation = '{}/{PLAIN_REGISTRY_HOST}'\ninsecure = true\n",
        peer.mirror()
    );
    fs::write(&registries, text).unwrap();
    let mut command = Command::new("skopeo");
    command.arg("--registries-conf").arg(registries).args(["copy", "--insecure-policy"]);
    command.arg(format!("docker://{PLAIN_REGISTRY_HOST}/{}:{}", image.repository, image.tag));
    command.arg(format!("dir:{}", folder.join("image").display()));
    run(command, PULL_WITHIN).await
}
