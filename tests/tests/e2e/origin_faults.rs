//! The registry goes away, or lies, while everybody pulls.

use std::{
    fs,
    time::{Duration, Instant},
};

use shoal_tests::{
    cluster::Cluster,
    containerd::Client,
    fixtures::{Fixtures, PROOF},
    image::{Content, Layer, Manifest, architecture},
    push::Pusher,
    registry::Registry,
    scratch::Scratch,
    stored::{Image, blob_file},
};

use crate::pull::{pull_everywhere, pull_outcomes, run_everywhere};

const PROGRAM: [&str; 2] = ["/bin/proof", "--version"];
const LINK_BYTES_PER_S: u64 = 10 * 1024 * 1024;
const HALF_WITHIN: Duration = Duration::from_secs(120);
const CUT_FOR: Duration = Duration::from_secs(10);
/// Nobody should wait longer for bad news.
const FAILURE_WITHIN: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn ten_seconds_without_the_origin_cost_ten_seconds() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(LINK_BYTES_PER_S);

    let reference = image.by_tag();
    let pulls = pull_everywhere(&containerds, Client::Ctr, &reference);
    let cut = async {
        cluster.link.passed(image.size_bytes() / 2, HALF_WITHIN).await;
        cluster.link.cut();
        tokio::time::sleep(CUT_FOR).await;
        cluster.link.limit(0);
        cluster.link.mend();
    };
    tokio::join!(pulls, cut);

    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;
    let passed_bytes = cluster.link.passed_bytes();
    let most_bytes = image.size_bytes() * 3 / 2;
    assert!(passed_bytes < most_bytes, "{passed_bytes} bytes came from the origin: the seed did not resume");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_origin_for_good_a_pull_ends_with_an_error_and_works_again_later() {
    let (cluster, fixtures) = Cluster::start(1, 3).await;
    let containerds = cluster.containerds().await;
    let image = fixtures.image("medium", "v1");
    cluster.link.limit(LINK_BYTES_PER_S);

    let reference = image.by_tag();
    let started = Instant::now();
    let pulls = pull_outcomes(&containerds, Client::Ctr, &reference);
    let cut = async {
        cluster.link.passed(image.size_bytes() / 2, HALF_WITHIN).await;
        cluster.link.cut();
    };
    let (outcomes, ()) = tokio::join!(pulls, cut);
    assert!(started.elapsed() < FAILURE_WITHIN, "an error after {:?}", started.elapsed());
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        // In the runtime's own words, which depend on whether it had bytes of the layer already.
        let tells = ["connection refused", "unexpected EOF"].iter().any(|words| error.contains(words));
        assert!(tells, "the runtime tells what is wrong: {error}");
    }

    cluster.link.limit(0);
    cluster.link.mend();
    pull_everywhere(&containerds, Client::Ctr, &reference).await;
    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_from_the_origin_are_never_a_blob() {
    let scratch = Scratch::new("wrong");
    let storage = scratch.data().join("storage");
    let image = push_image(&storage, &scratch).await;
    let cluster = Cluster::over(&storage, 1, 2).await;
    let containerds = cluster.containerds().await;
    let layer = image.largest();
    flip_a_byte(&blob_file(&storage, &layer.digest));

    let reference = image.by_tag();
    for outcome in pull_outcomes(&containerds, Client::Ctr, &reference).await {
        outcome.unwrap_err();
    }
    for peer in &cluster.peers {
        let got = peer.get_blob(&image, layer).await;
        assert!(got.as_ref().map_or(true, |body| body.broken.is_some()), "{}: {got:?}", peer.name());
    }
    let corrupt_answers = cluster.seeds[0].metrics().await.corrupt_answers();
    assert!((1..=2).contains(&corrupt_answers), "a second chance, and not a third: {corrupt_answers}");

    flip_a_byte(&blob_file(&storage, &layer.digest));
    // A containerd keeps wrong bytes that it has got, also those of the origin, and never asks for them again.
    let containerds = cluster.containerds().await;
    pull_everywhere(&containerds, Client::Ctr, &reference).await;
    run_everywhere(&containerds, Client::Ctr, &reference, &PROGRAM, PROOF).await;
}

async fn push_image(storage: &std::path::Path, scratch: &Scratch) -> Image {
    let fixtures = Fixtures::get().await;
    let noise = Content::Noise { len_bytes: 5_000_000, seed: 31 };
    let files = [fixtures.proof(), ("srv/noise".to_owned(), noise)];
    let layer = Layer::of_files(scratch.data().join("layer"), files);
    let manifest = Manifest::of_layers(architecture(), vec![layer], 0);
    let registry = Registry::start(storage, scratch.data()).await;
    Pusher::new(registry.address()).push("wrong", "v1", &manifest).await;
    Image::stored(storage, "wrong", "v1")
}

/// In the middle; a second time puts it right again.
fn flip_a_byte(file: &std::path::Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x01;
    fs::write(file, bytes).unwrap();
}
