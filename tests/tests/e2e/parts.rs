//! The real parts work without Shoal: what fails here is the machine, not Shoal.

use shoal_tests::containerd::{Client, Containerd};
use shoal_tests::fixtures::{Fixtures, HELLO, PROOF};
use shoal_tests::registry::Registry;
use shoal_tests::relay::Relay;
use shoal_tests::scratch::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn containerd_pulls_from_the_registry_and_runs_what_it_pulled() {
    let fixtures = Fixtures::get().await;
    let scratch = Scratch::new("parts");
    let registry = Registry::start(&fixtures.storage(), scratch.data()).await;
    let containerd = Containerd::start(None, registry.address()).await;
    let image = fixtures.image("debian", "v1");

    for client in [Client::Ctr, Client::Cri] {
        containerd.pull(client, &image.by_tag()).await.unwrap();
        let printed = containerd.run(client, &image.by_tag(), &["/usr/local/bin/hello"]).await.unwrap();
        assert!(printed.starts_with(HELLO), "{client:?}: {printed}");
        containerd.remove(client, &image.by_tag()).await.unwrap();
        assert_eq!(containerd.content(client).await, Vec::<String>::new());
        containerd.pull(client, &image.by_digest()).await.unwrap();
    }
    let gets = registry.blob_gets();
    assert_eq!(gets.len(), image.blobs.len());
    assert!(gets.values().all(|gets| *gets == 4), "two clients, by tag and by digest: {gets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_image_of_the_tests_can_be_pulled() {
    let fixtures = Fixtures::get().await;
    let scratch = Scratch::new("parts");
    let registry = Registry::start(&fixtures.storage(), scratch.data()).await;
    let relay = Relay::start(registry.address()).await;
    let containerd = Containerd::start(None, relay.address()).await;

    for repository in ["many-layers", "medium", "long-manifest", "platforms"] {
        let image = fixtures.image(repository, "v1");
        containerd.pull(Client::Ctr, &image.by_tag()).await.unwrap();
        let printed =
            containerd.run(Client::Ctr, &image.by_tag(), &["/bin/proof", "--version"]).await.unwrap();
        assert!(printed.starts_with(PROOF), "{repository}: {printed}");
    }
    containerd.fetch(&fixtures.image("odd-sizes", "v1").by_tag()).await.unwrap();
    assert!(relay.passed_bytes() > fixtures.image("medium", "v1").size_bytes());
}
