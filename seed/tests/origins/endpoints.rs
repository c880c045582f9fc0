//! Several endpoints of one registry: which is asked, and when it is first again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use shoal_seed::{
    config::RegistryConfig,
    origin::{OriginError, Origins},
};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{
    Collector, Reply, Seen, TestOrigin, bearer_challenge, config, content, digest, image, origins, puller,
    with_account,
};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;
/// Within this a background trial is over, on however busy a machine.
const SOON: Duration = Duration::from_secs(20);

async fn get(origins: &Origins) -> Result<(), OriginError> {
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.map(|_| ())
}

fn resting(mut config: RegistryConfig, first_rest_ms: u64) -> RegistryConfig {
    config.limits.first_rest_ms = first_rest_ms;
    config
}

/// An origin that fails for as long as it is told to.
async fn failing() -> (TestOrigin, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let is_failing = Arc::clone(&fails);
    let origin = TestOrigin::start(move |_| match is_failing.load(Ordering::SeqCst) {
        true => Reply::status(503),
        false => Reply::manifest(MANIFEST),
    })
    .await;
    (origin, fails)
}

fn manifests(origin: &TestOrigin) -> usize {
    origin.count("/manifests/")
}

#[tokio::test]
async fn only_the_first_request_waits_for_an_endpoint_that_says_nothing() {
    // Connections are taken by the kernel, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let good = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    let mut config = resting(config(&[&good]), 3_600_000);
    let address = format!("http://{}", silent.local_addr().expect("bound"));
    config.endpoints.insert(0, address.parse().expect("a URL"));
    config.limits.answer_timeout_ms = 2_000;
    let origins = origins(config);
    let started = Instant::now();
    get(&origins).await.expect("served by the second");
    assert!(started.elapsed() >= Duration::from_secs(2));
    let started = Instant::now();
    for _ in 0..5 {
        get(&origins).await.expect("served");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_endpoint_that_is_well_again_is_the_first_again() {
    let (first, fails) = failing().await;
    let second = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    let origins = origins(resting(config(&[&first, &second]), 10));
    get(&origins).await.expect("served by the second");
    assert_eq!((manifests(&first), manifests(&second)), (1, 1));
    fails.store(false, Ordering::SeqCst);
    let deadline = Instant::now() + SOON;
    while manifests(&first) < 2 {
        assert!(Instant::now() < deadline, "the first was never asked again");
        get(&origins).await.expect("served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(first.count("/v2/") > manifests(&first), "it was tried apart from any request");
}

#[tokio::test]
async fn no_request_pays_for_the_trials_of_a_dead_endpoint() {
    let (first, _fails) = failing().await;
    let second = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    let origins = origins(resting(config(&[&first, &second]), 10));
    let deadline = Instant::now() + SOON;
    while first.seen().len() < 4 {
        assert!(Instant::now() < deadline, "{:?}", first.seen());
        get(&origins).await.expect("served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(manifests(&first), 1, "all but the first request there were trials");
}

#[tokio::test]
async fn what_one_endpoint_lacks_or_refuses_another_may_have() {
    for status in [401, 403, 404, 410] {
        let first = TestOrigin::start(move |_| Reply::status(status)).await;
        let second = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
        let origins = origins(config(&[&first, &second]));
        for _ in 0..2 {
            get(&origins).await.expect("served by the second");
        }
        assert_eq!(manifests(&first), 2, "{status} is an answer, and the first stays the first");
    }
}

#[tokio::test]
async fn what_no_endpoint_has_is_told_by_the_one_that_says_most() {
    let cases = [
        ([404, 404], "not found"),
        ([404, 403], "denied"),
        ([403, 404], "denied"),
        ([404, 503], "unavailable"),
        ([503, 404], "unavailable"),
    ];
    for ([one, two], expected) in cases {
        let first = TestOrigin::start(move |_| Reply::status(one)).await;
        let second = TestOrigin::start(move |_| Reply::status(two)).await;
        let error = get(&origins(config(&[&first, &second]))).await.expect_err("neither has it");
        let told = match error {
            OriginError::NotFound(_) => "not found",
            OriginError::Denied(_) => "denied",
            OriginError::Unavailable { .. } => "unavailable",
            _ => "something else",
        };
        assert_eq!(told, expected, "{one} {two}: {error}");
    }
}

#[tokio::test]
async fn an_endpoint_with_a_broken_token_service_does_not_end_the_search() {
    let service = TestOrigin::start(|_| Reply::status(403)).await;
    let realm = service.url.clone();
    let first = TestOrigin::start(move |_| bearer_challenge(&realm)).await;
    let second = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    get(&origins(with_account(config(&[&first, &second])))).await.expect("served by the second");
}

#[tokio::test]
async fn a_blob_that_breaks_off_goes_on_at_the_next_endpoint() {
    let blob = content(400_000);
    let (cut, whole) = (blob.clone(), blob.clone());
    let serve = |blob: &Bytes, seen: &Seen| match seen.range_start() {
        None => Reply::bytes(blob.clone()),
        Some(start) => Reply::range(blob, start),
    };
    let first = TestOrigin::start(move |_| Reply::cut(&cut, 100_000)).await;
    let second = TestOrigin::start(move |seen| serve(&whole, seen)).await;
    let sink = Collector::default();
    let puller = puller(config(&[&first, &second]));
    puller.pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!(sink.blob(), blob);
    assert_eq!((first.count("/blobs/"), second.count("/blobs/")), (1, 1));
    assert_eq!(second.seen()[0].range_start(), Some(100_000));
}
