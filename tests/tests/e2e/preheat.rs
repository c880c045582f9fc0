//! Images that are there before anyone asks for them.

use std::{process::Command, time::Duration};

use serde_json::Value;
use shoal_tests::{
    cluster::Cluster,
    containerd::Client,
    fixtures::HELLO,
    ports::free_address,
    process::{Finished, finish},
    shoal::{Node, binary},
};

use crate::pull::{pull_everywhere, run_everywhere};

const WITHIN: Duration = Duration::from_secs(120);
const PROGRAM: [&str; 1] = ["/usr/local/bin/hello"];

async fn preheat(via: String, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.args(["preheat", "--via", &via]).args(arguments);
    finish(command, WITHIN).await.unwrap_or_else(|| panic!("shoal preheat {arguments:?} does not end"))
}

fn via(node: &Node) -> String {
    format!("http://{}", node.admin())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_survives_its_registry_before_anyone_pulled_it() {
    let (mut cluster, fixtures) = Cluster::start(1, 2).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("debian", "v1");
    let manifest = cluster.folder().join("pod.yaml");
    let pod = format!("kind: Pod\nspec:\n  containers:\n  - name: app\n    image: {}\n", image.by_tag());
    std::fs::write(&manifest, pod).unwrap();

    let done = preheat(via(&cluster.peers[0]), &["--json", "--from", manifest.to_str().unwrap()]).await;
    assert!(done.status.success(), "{done:?}");
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let told = &told["images"][0];
    assert_eq!((&told["image"], &told["state"]), (&image.by_tag().into(), &"done".into()));
    assert_eq!(
        (&told["digest"], &told["blobs_done"]),
        (&image.digest.clone().into(), &image.blobs.len().into())
    );
    cluster.assert_one_get_each(&image.blobs).await;

    let again = preheat(via(&cluster.peers[0]), &[&image.by_tag()]).await;
    assert!(again.status.success() && again.stdout.starts_with("1 of 1 images"), "{again:?}");
    let on_the_seed = preheat(via(&cluster.seeds[0]), &[&image.by_digest()]).await;
    assert!(on_the_seed.status.success(), "{on_the_seed:?}");
    cluster.assert_one_get_each(&image.blobs).await;

    cluster.registry.kill();
    cluster.link.cut();
    let other = &containerds[1..];
    pull_everywhere(other, Client::Cri, &image.by_tag()).await;
    run_everywhere(other, Client::Cri, &image.by_tag(), &PROGRAM, HELLO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_had_is_named_and_the_exit_code_says_so() {
    let (cluster, fixtures) = Cluster::start(1, 1).await;
    let image = fixtures.image("many-layers", "v1");
    let missing = image.by_tag().replace(":v1", ":gone");
    let failed = preheat(via(&cluster.peers[0]), &[&missing, &image.by_tag()]).await;
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let expected = format!("failed: {missing}: tag gone: the origin does not have it");
    assert!(failed.stdout.contains(&expected) && failed.stdout.contains("1 of 2 images"), "{failed:?}");

    let nobody = preheat(format!("http://{}", free_address()), &[&image.by_tag()]).await;
    assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
    assert!(nobody.stderr.contains("is `shoal peer` or `shoal seed` running there?"), "{nobody:?}");
    let nameless = preheat(via(&cluster.peers[0]), &["NOT-A-NAME"]).await;
    assert_eq!(nameless.status.code(), Some(2), "{nameless:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_fetch_by_one_order() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    cluster.met().await;
    let image = fixtures.image("many-layers", "v1");
    let taker = &cluster.seeds[0];
    let done = preheat(via(taker), &["--json", "--nodes", "3", &image.by_tag()]).await;
    assert!(done.status.success(), "{done:?}");
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let nodes = told["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert_eq!((&node["state"], &node["images_done"]), (&"done".into(), &1.into()));
        assert_eq!(node["bytes_done"], node["bytes_total"]);
    }
    assert_eq!(told["images"][0]["blobs_done"], 3 * image.blobs.len());
    cluster.assert_one_get_each(&image.blobs).await;

    let again = preheat(via(&cluster.peers[0]), &["--nodes", "4", &image.by_tag()]).await;
    assert!(again.status.success() && again.stdout.starts_with("1 of 1 images are on 4 nodes"), "{again:?}");
    for (arguments, why) in [
        (["--zone", "nowhere"], "no live node is in the zone \"nowhere\""),
        (["--nodes", "9"], "9 nodes are wanted and 4 are live"),
        (["--nodes", "0"], "an order is for one node or more"),
    ] {
        let refused = preheat(via(taker), &[arguments[0], arguments[1], &image.by_tag()]).await;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_order_is_cancelled_and_goes_on_later() {
    let (cluster, fixtures) = Cluster::start(1, 1).await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(1_000_000);
    let output = cluster.folder().join("preheat.log");
    let mut command = Command::new(binary());
    command.args(["preheat", "--via", &via(&cluster.peers[0]), &image.by_tag()]);
    let mut running = shoal_tests::process::Process::spawn("shoal preheat", command, &output);
    cluster.pulling_seed().await;
    let status = running.stop().await;
    assert_eq!(status.code(), Some(1), "{}", running.output());
    assert!(running.output().contains("the same command goes on from there"), "{}", running.output());

    cluster.link.limit(100_000_000);
    let done = preheat(via(&cluster.peers[0]), &[&image.by_tag()]).await;
    assert!(done.status.success(), "{done:?}");
    cluster.assert_one_get_each(&image.blobs).await;
}
