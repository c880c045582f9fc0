//! The real parts work without Shoal: what fails here is the machine, not Shoal.

use std::time::{Duration, Instant};

use shoal_tests::{
    containerd::{Client, Containerd},
    fixtures::{Fixtures, HELLO, PROOF},
    http,
    ports::free_address,
    registry::Registry,
    relay::Relay,
    scratch::Scratch,
    wait::eventually,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn containerd_goes_to_the_origin_when_its_mirror_is_dead() {
    let fixtures = Fixtures::get().await;
    let scratch = Scratch::new("parts");
    let registry = Registry::start(&fixtures.storage(), scratch.data()).await;
    let containerd = Containerd::start(Some(free_address()), registry.address()).await;
    let image = fixtures.image("many-layers", "v1");
    for client in [Client::Ctr, Client::Cri] {
        containerd.pull(client, &image.by_tag()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_slow_stands_still_and_breaks() {
    let fixtures = Fixtures::get().await;
    let scratch = Scratch::new("parts");
    let registry = Registry::start(&fixtures.storage(), scratch.data()).await;
    let link = Relay::start(registry.address()).await;
    let layer = fixtures.image("medium", "v1").largest().clone();
    let url = format!("http://{}/v2/medium/blobs/{}", link.address(), layer.digest);
    let get = async || http::client().get(&url).send().await;

    link.limit(40_000_000);
    let started = Instant::now();
    let body = http::drain(get().await.unwrap()).await;
    assert_eq!((body.broken, body.digest), (None, layer.digest.clone()));
    assert!(started.elapsed() > Duration::from_millis(1500), "{:?}", started.elapsed());

    let half_bytes = link.passed_bytes() + layer.size_bytes / 2;
    let half = async {
        link.passed(half_bytes, Duration::from_secs(60)).await;
        link.freeze();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stood_at_bytes = link.passed_bytes();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(link.passed_bytes(), stood_at_bytes);
        link.cut();
    };
    let (body, ()) = tokio::join!(async { http::drain(get().await.unwrap()).await }, half);
    assert!(body.broken.is_some() && body.len_bytes < layer.size_bytes, "{body:?}");
    get().await.unwrap_err();
    link.mend();
    let mended = eventually("the link to be up", Duration::from_secs(10), async || get().await.ok()).await;
    assert_eq!(mended.status(), 200);
}
