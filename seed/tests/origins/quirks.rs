//! What is missing, too much, or from another time.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use shoal_seed::{
    config::RegistryConfig,
    origin::{BlobRange, OriginError, Origins},
    pull::PullError,
};

use crate::{
    raw::{RawOrigin, http_1_0},
    support::{Collector, Reply, TestOrigin, config, content, digest, image, metrics, origins, puller},
};

const BLOB_BYTES: usize = 64 * 1024 * 5 + 1000;

fn raw_config(origin: &RawOrigin) -> RegistryConfig {
    let mut config = RegistryConfig::for_host(image().registry);
    config.endpoints = vec![origin.url.parse().expect("a URL")];
    config
}

#[tokio::test]
async fn a_blob_that_ends_with_its_connection_is_whole_when_its_digest_says_so() {
    let blob = content(BLOB_BYTES);
    let served = http_1_0(&blob);
    let origin = RawOrigin::start(move |_| served.clone()).await;
    let sink = Collector::default();
    puller(raw_config(&origin)).pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!(sink.blob(), blob);
}

#[tokio::test]
async fn a_connection_that_ends_too_soon_and_tells_nothing_is_made_again_once() {
    let blob = content(BLOB_BYTES);
    let (short, whole) = (http_1_0(&blob[..100_000]), http_1_0(&blob));
    let origin =
        RawOrigin::start(move |number| if number == 0 { short.clone() } else { whole.clone() }).await;
    let sink = Collector::default();
    puller(raw_config(&origin)).pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 2));

    let always_short = http_1_0(&blob[..100_000]);
    let origin = RawOrigin::start(move |_| always_short.clone()).await;
    let puller = puller(raw_config(&origin));
    let error = puller.pull_blob(&image(), &digest(&blob), None, &Collector::default()).await;
    assert!(matches!(error, Err(PullError::Origin(OriginError::Corrupt(_)))), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_length_it_told_is_continued() {
    let blob = content(BLOB_BYTES);
    let head = |status: &str, extra: String| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{extra}\r\n");
    let mut first = head("200 OK", format!("Content-Length: {BLOB_BYTES}\r\n")).into_bytes();
    first.extend_from_slice(&blob[..100_000]);
    let left = BLOB_BYTES - 100_000;
    let range =
        format!("Content-Length: {left}\r\nContent-Range: bytes 100000-{}/{BLOB_BYTES}\r\n", BLOB_BYTES - 1);
    let mut second = head("206 Partial Content", range).into_bytes();
    second.extend_from_slice(&blob[100_000..]);
    let answers = [Bytes::from(first), Bytes::from(second)];
    let origin = RawOrigin::start(move |number| answers[number.min(1)].clone()).await;
    let sink = Collector::default();
    puller(raw_config(&origin)).pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 1));
}

#[tokio::test]
async fn a_date_in_retry_after_is_heeded() {
    let at = Timestamp::try_from(SystemTime::now() + Duration::from_secs(120)).expect("a time");
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).expect("a date");
    let origin = TestOrigin::start(move |_| Reply::status(429).header("retry-after", &date)).await;
    let origins = origins(config(&[&origin]));
    for _ in 0..2 {
        let error = origins.stat(&image(), &digest(b"")).await.expect_err("too many requests");
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(60)), "{error}");
    }
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_storage_that_is_overloaded_does_not_silence_its_registry() {
    let storage = TestOrigin::start(|_| Reply::status(429).header("retry-after", "60")).await;
    let target = storage.url.clone();
    let origin = TestOrigin::start(move |_| Reply::redirect(&target)).await;
    let origins = origins(config(&[&origin]));
    for _ in 0..2 {
        origins.stat(&image(), &digest(b"")).await.expect_err("too many requests");
    }
    assert_eq!(origin.seen().len(), 2);
}

#[tokio::test]
async fn each_connection_gets_a_signed_url_of_its_own() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let storage = TestOrigin::start(move |seen| match seen.range_start() {
        None => Reply::cut(&served, 100_000),
        Some(start) => Reply::range(&served, start),
    })
    .await;
    let (target, signed) = (storage.url.clone(), AtomicUsize::new(0));
    let origin = TestOrigin::start(move |_| {
        Reply::redirect(&format!("{target}/?signature={}", signed.fetch_add(1, Ordering::SeqCst)))
    })
    .await;
    let sink = Collector::default();
    puller(config(&[&origin])).pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!(sink.blob(), blob);
    let signatures: Vec<_> = storage.seen().into_iter().map(|seen| seen.query).collect();
    assert_eq!(signatures, ["signature=0", "signature=1"]);
}

#[tokio::test]
async fn an_encoded_blob_is_refused_and_not_decoded() {
    let blob = content(1000);
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let served = blob.clone();
        let origin =
            TestOrigin::start(move |_| Reply::bytes(served.clone()).header("content-encoding", encoding))
                .await;
        let sink = Collector::default();
        let pulled = puller(config(&[&origin])).pull_blob(&image(), &digest(&blob), None, &sink).await;
        assert!(matches!(pulled, Err(PullError::Origin(OriginError::Refused(_)))), "{pulled:?}");
        assert_eq!((sink.start_count(), origin.seen()[0].header("accept-encoding")), (0, Some("identity")));
    }
}

#[tokio::test]
async fn another_range_than_asked_for_is_refused() {
    let blob = content(1000);
    let origin = TestOrigin::start(move |_| Reply::range(&blob, 7)).await;
    let range = BlobRange { start: 500, ..BlobRange::default() };
    let error = origins(config(&[&origin])).blob(&image(), &digest(b""), range).await;
    assert!(matches!(error, Err(OriginError::Refused(_))), "{error:?}");
}

#[tokio::test]
async fn one_name_in_two_registries_is_two_images() {
    const ONE: &str = r#"{"config": {"a": 1}, "layers": []}"#;
    const TWO: &str = r#"{"config": {"b": 2}, "layers": []}"#;
    let (first, second) = (
        TestOrigin::start(|_| Reply::manifest(ONE)).await,
        TestOrigin::start(|_| Reply::manifest(TWO)).await,
    );
    let mut other = config(&[&second]);
    other.host = "other.test".parse().expect("a host");
    let origins = Origins::new(&[config(&[&first]), other], false, metrics()).expect("two registries");
    let mut image = image();
    let tag = "latest".parse().expect("a tag");
    assert_eq!(origins.resolve(&image, &tag).await.expect("there").digest, digest(ONE.as_bytes()));
    image.registry = "other.test".parse().expect("a host");
    assert_eq!(origins.resolve(&image, &tag).await.expect("there").digest, digest(TWO.as_bytes()));
    assert_eq!((first.seen().len(), second.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_registry_gets_no_more_bytes_asked_of_it_than_its_budget() {
    let blob = content(300_000);
    let served = blob.clone();
    let origin = TestOrigin::start(move |_| Reply::bytes(served.clone())).await;
    let mut config = config(&[&origin]);
    config.limits.max_bytes_per_s = 300_000;
    let puller = Arc::new(puller(config));
    let started = tokio::time::Instant::now();
    let pulls = (0..2).map(|_| async {
        let sink = Collector::default();
        puller.pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
        sink.blob().len()
    });
    let lengths: BTreeSet<_> = futures::future::join_all(pulls).await.into_iter().collect();
    assert_eq!(lengths, BTreeSet::from([300_000]));
    assert!(started.elapsed() >= Duration::from_millis(1_800), "{:?}", started.elapsed());
}
