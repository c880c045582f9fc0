//! Manifests, tags and lengths, and the answers that are refused.

use http::Method;
use shoal_seed::{
    metrics::OriginMetrics,
    origin::{Descriptor, OriginError, Origins},
};

use crate::support::{OCI_MANIFEST, Reply, TestOrigin, config, content, digest, image, metrics, origins};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;

fn tag() -> shoal_protocol::reference::Tag {
    "latest".parse().expect("a tag")
}

fn descriptor() -> Descriptor {
    Descriptor {
        media_type: OCI_MANIFEST.to_owned(),
        digest: digest(MANIFEST.as_bytes()),
        size_bytes: MANIFEST.len() as u64,
    }
}

#[tokio::test]
async fn a_tag_costs_one_head() {
    let origin = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    assert_eq!(origins(config(&[&origin])).resolve(&image(), &tag()).await, Ok(descriptor()));
    let seen = origin.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].method, Method::HEAD);
    assert_eq!(seen[0].path, "/v2/library/app/manifests/latest");
    assert_eq!(seen[0].header("accept-encoding"), Some("identity"));
    assert!(seen[0].header("user-agent").is_some_and(|agent| agent.starts_with("shoal/")));
    assert!(seen[0].header("accept").is_some_and(|types| types.contains(OCI_MANIFEST)));
}

#[tokio::test]
async fn a_missing_digest_is_computed() {
    let origin = TestOrigin::start(|_| Reply::bytes(MANIFEST).header("content-type", OCI_MANIFEST)).await;
    assert_eq!(origins(config(&[&origin])).resolve(&image(), &tag()).await, Ok(descriptor()));
}

#[tokio::test]
async fn a_registry_without_head_is_asked_by_get() {
    let origin = TestOrigin::start(|seen| match seen.method {
        Method::HEAD => Reply::status(405),
        _ => Reply::manifest(MANIFEST),
    })
    .await;
    let mut config = config(&[&origin]);
    config.limits.max_concurrent_requests = 1;
    assert_eq!(origins(config).resolve(&image(), &tag()).await, Ok(descriptor()));
}

#[tokio::test]
async fn a_header_that_names_another_digest_is_found_out() {
    let wrong = digest(b"something else").to_string();
    let origin = TestOrigin::start(move |seen| {
        let reply = Reply::manifest(MANIFEST).header("docker-content-digest", &wrong);
        if seen.method == Method::HEAD { Reply::status(200) } else { reply }
    })
    .await;
    let error = origins(config(&[&origin])).resolve(&image(), &tag()).await.expect_err("corrupt");
    assert!(matches!(error, OriginError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_wrong_manifest_is_asked_of_another_endpoint() {
    let liar = TestOrigin::start(|_| Reply::bytes("{}")).await;
    let honest = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    let wanted = digest(MANIFEST.as_bytes());
    let manifest = origins(config(&[&liar, &honest])).manifest(&image(), &wanted).await.expect("served");
    assert_eq!((manifest.bytes.as_ref(), manifest.digest), (MANIFEST.as_bytes(), wanted));
    let error = origins(config(&[&liar])).manifest(&image(), &wanted).await.expect_err("corrupt");
    assert!(matches!(error, OriginError::Corrupt(_)), "{error}");
    assert!(error.to_string().contains(&liar.url), "{error}");
}

#[tokio::test]
async fn an_encoded_answer_is_refused() {
    let origin = TestOrigin::start(|_| Reply::manifest(MANIFEST).header("content-encoding", "gzip")).await;
    let error = origins(config(&[&origin])).manifest(&image(), &digest(MANIFEST.as_bytes())).await;
    assert!(matches!(error, Err(OriginError::Refused(_))), "{error:?}");
}

#[tokio::test]
async fn an_index_dressed_as_a_manifest_is_refused() {
    const INDEX: &str = r#"{"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}"#;
    let origin = TestOrigin::start(|_| Reply::manifest(INDEX)).await;
    let error = origins(config(&[&origin])).manifest(&image(), &digest(INDEX.as_bytes())).await;
    assert!(matches!(error, Err(OriginError::Refused(_))), "{error:?}");
}

#[tokio::test]
async fn an_endless_manifest_is_refused() {
    let huge = content(4 * 1024 * 1024 + 1);
    let (stated, counted) = (huge.clone(), huge.clone());
    let wanted = digest(&huge);
    let with_length = TestOrigin::start(move |_| Reply::bytes(stated.clone())).await;
    let without = TestOrigin::start(move |_| Reply::chunked(counted.clone())).await;
    for origin in [&with_length, &without] {
        let error = origins(config(&[origin])).manifest(&image(), &wanted).await;
        assert!(matches!(error, Err(OriginError::Refused(_))), "{error:?}");
    }
}

#[tokio::test]
async fn statuses_become_the_errors_they_mean() {
    let origin = TestOrigin::start(|seen| {
        let tag = seen.path.rsplit('/').next().expect("a tag");
        Reply::status(tag.trim_start_matches('s').parse().expect("a status"))
    })
    .await;
    let origins = origins(config(&[&origin]));
    let ask = |status: u16| {
        let (origins, tag) = (&origins, format!("s{status}").parse().expect("a tag"));
        async move { origins.resolve(&image(), &tag).await.expect_err("no success") }
    };
    assert!(matches!(ask(404).await, OriginError::NotFound(_)));
    assert!(matches!(ask(403).await, OriginError::Denied(_)));
    assert!(matches!(ask(429).await, OriginError::TooManyRequests { retry_after: None, .. }));
    assert!(matches!(ask(503).await, OriginError::Unavailable { .. }));
    assert!(matches!(ask(418).await, OriginError::Refused(_)));
}

#[tokio::test]
async fn an_origin_is_left_alone_for_as_long_as_it_says() {
    let origin = TestOrigin::start(|_| Reply::status(429).header("retry-after", "60")).await;
    let origins = origins(config(&[&origin]));
    for _ in 0..3 {
        let error = origins.resolve(&image(), &tag()).await.expect_err("too many requests");
        assert!(error.retry_after().is_some_and(|wait| (50..=60).contains(&wait.as_secs())), "{error}");
    }
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn the_next_endpoint_answers_when_the_first_can_not() {
    let gone = TestOrigin::start(|_| Reply::status(500)).await;
    let config_without_server = config(&[&gone]);
    drop(gone);
    let broken = TestOrigin::start(|_| Reply::status(502)).await;
    let good = TestOrigin::start(|_| Reply::manifest(MANIFEST)).await;
    let mut config = config(&[&broken, &good]);
    config.endpoints.splice(0..0, config_without_server.endpoints);
    let origins = origins(config);
    assert_eq!(origins.resolve(&image(), &tag()).await, Ok(descriptor()));
    assert_eq!(origins.resolve(&image(), &tag()).await, Ok(descriptor()));
    assert_eq!((broken.seen().len(), good.seen().len()), (1, 2), "an endpoint that failed waits its turn");
}

#[tokio::test]
async fn a_silent_origin_is_not_waited_for() {
    let origin =
        TestOrigin::start(|_| Reply::manifest(MANIFEST).after(std::time::Duration::from_secs(3600))).await;
    let mut config = config(&[&origin]);
    config.limits.answer_timeout_ms = 50;
    let error = origins(config).resolve(&image(), &tag()).await.expect_err("silence");
    assert!(matches!(error, OriginError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn unlisted_registries_are_not_asked() {
    let none = Origins::new(&[], false, metrics()).expect("nothing to go wrong");
    let error = none.resolve(&image(), &tag()).await.expect_err("unlisted");
    assert_eq!(error, OriginError::Unlisted { registry: "registry.test".to_owned() });
}

#[tokio::test]
async fn no_more_requests_at_a_time_than_the_budget() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let blob = content(100);
    let (wanted, served) = (digest(&blob), blob.clone());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let origin = TestOrigin::start(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Reply::bytes(served.clone())
    })
    .await;
    let mut config = config(&[&origin]);
    config.limits.max_concurrent_blobs = 1;
    let origins = origins(config);
    let image = image();
    let first = origins.blob(&image, &wanted, Default::default()).await.expect("served");
    let mut second = std::pin::pin!(origins.blob(&image, &wanted, Default::default()));
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut second).await;
    assert!(early.is_err() && asked.load(Ordering::SeqCst) == 1, "the first body is still being read");
    origins.manifest(&image, &wanted).await.expect_err("no manifest, but asked at once");
    drop(first);
    second.await.expect("served");
}

#[tokio::test]
async fn requests_and_bytes_are_counted_by_registry() {
    let origin = TestOrigin::start(|seen| match seen.path.ends_with("gone") {
        true => Reply::status(404),
        false => Reply::manifest(MANIFEST),
    })
    .await;
    let registry = prometheus::Registry::new();
    let counted = OriginMetrics::new(&registry).expect("an empty registry");
    let origins = Origins::new(&[config(&[&origin])], false, counted).expect("a good configuration");
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
    origins.resolve(&image(), &"gone".parse().expect("a tag")).await.expect_err("gone");
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
    for line in [
        r#"shoal_origin_requests_total{kind="manifest",registry="registry.test",status="200"} 1"#,
        r#"shoal_origin_requests_total{kind="resolve",registry="registry.test",status="404"} 1"#,
        &format!(r#"shoal_origin_bytes_total{{registry="registry.test"}} {}"#, MANIFEST.len()),
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
