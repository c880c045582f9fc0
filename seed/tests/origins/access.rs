//! Anonymous, Basic and Bearer access.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use shoal_seed::origin::OriginError;

use crate::support::{Reply, TestOrigin, bearer_challenge, config, digest, image, origins, with_account};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;
const BASIC: &str = "Basic cm9ib3Q6czNjcmV0";

/// An origin with its own token service. Token number `n` is `token-n`; only the newest opens the door.
async fn token_origin(life_s: u32) -> (TestOrigin, Arc<AtomicU32>) {
    let issued = Arc::new(AtomicU32::new(0));
    let (valid, own_url) = (Arc::clone(&issued), Arc::new(OnceLock::<String>::new()));
    let url = Arc::clone(&own_url);
    let origin = TestOrigin::start(move |seen| {
        if seen.path == "/token" {
            let token = valid.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::bytes(format!(r#"{{"token": "token-{token}", "expires_in": {life_s}}}"#))
                .after(Duration::from_millis(20));
        }
        let newest = format!("Bearer token-{}", valid.load(Ordering::SeqCst));
        if seen.header("authorization") == Some(&newest) {
            return Reply::manifest(MANIFEST);
        }
        bearer_challenge(url.get().expect("set before the first request"))
    })
    .await;
    own_url.set(origin.url.clone()).expect("set once");
    (origin, issued)
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait() {
    let (origin, _) = token_origin(300).await;
    let origins = origins(with_account(config(&[&origin])));
    let (image, digest) = (image(), digest(MANIFEST.as_bytes()));
    for manifest in join_all((0..8).map(|_| origins.manifest(&image, &digest))).await {
        assert_eq!(manifest.expect("served").bytes, MANIFEST);
    }
    origins.manifest(&image, &digest).await.expect("served");
    let asked: Vec<_> = origin.seen().into_iter().filter(|seen| seen.path == "/token").collect();
    assert_eq!(asked.len(), 1, "one refresh serves everyone");
    assert_eq!(asked[0].header("authorization"), Some(BASIC));
    assert!(asked[0].query.contains("service=registry.test"));
    assert!(asked[0].query.contains("scope=repository%3Alibrary%2Fapp%3Apull"));
}

#[tokio::test]
async fn an_ending_token_is_renewed_without_a_refusal() {
    let (origin, _) = token_origin(0).await;
    let origins = origins(config(&[&origin]));
    for _ in 0..3 {
        origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
    }
    assert_eq!(origin.count("/token"), 3);
    assert_eq!(origin.count("/manifests/"), 4, "only the first request is refused");
}

#[tokio::test]
async fn a_revoked_token_is_renewed_on_401() {
    let (origin, issued) = token_origin(300).await;
    let origins = origins(config(&[&origin]));
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
    issued.fetch_add(1, Ordering::SeqCst);
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served again");
    assert_eq!(origin.count("/token"), 2);
}

#[tokio::test]
async fn basic_is_sent_when_asked_for_and_from_then_on() {
    let origin = TestOrigin::start(|seen| match seen.header("authorization") {
        Some(BASIC) => Reply::manifest(MANIFEST),
        _ => Reply::status(401).header("www-authenticate", "Basic realm=\"here\""),
    })
    .await;
    let origins = origins(with_account(config(&[&origin])));
    for _ in 0..2 {
        origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
    }
    let sent: Vec<_> =
        origin.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some(BASIC.to_owned()), Some(BASIC.to_owned())]);
}

#[tokio::test]
async fn a_replaced_password_file_is_used_at_once() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let origin = TestOrigin::start(|seen| match seen.header("authorization") {
        Some(BASIC) => Reply::manifest(MANIFEST),
        _ => Reply::status(401).header("www-authenticate", "Basic"),
    })
    .await;
    let mut config = config(&[&origin]);
    config.username = Some("robot".to_owned());
    config.password_file = Some(file.path().to_owned());
    let origins = origins(config);
    let ask = || async { origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await };
    std::fs::write(file.path(), "old\n").expect("written");
    assert!(matches!(ask().await, Err(OriginError::Denied(_))));
    std::fs::write(file.path(), "s3cret\n").expect("written");
    ask().await.expect("served");
}

#[tokio::test]
async fn refusal_without_a_challenge_is_denied_or_answered_with_basic() {
    let script = |seen: &crate::support::Seen| match seen.header("authorization") {
        Some(BASIC) => Reply::manifest(MANIFEST),
        _ => Reply::status(401),
    };
    let origin = TestOrigin::start(script).await;
    let anonymous = origins(config(&[&origin]));
    let error = anonymous.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect_err("denied");
    assert!(matches!(error, OriginError::Denied(_)), "{error}");
    assert!(error.to_string().contains("answered 401"), "{error}");
    let known = origins(with_account(config(&[&origin])));
    known.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
}

#[tokio::test]
async fn a_password_is_not_sent_to_a_token_service_without_tls() {
    let cert = crate::tls::TestAuthority::new();
    let thief = TestOrigin::start(|_| Reply::bytes(r#"{"token": "x"}"#)).await;
    let realm = thief.url.clone();
    let origin = TestOrigin::start_tls(cert.acceptor(), move |_| bearer_challenge(&realm)).await;
    let mut config = with_account(config(&[&origin]));
    config.ca_file = Some(cert.ca_file());
    let error = origins(config).manifest(&image(), &digest(b"")).await.expect_err("refused");
    assert!(matches!(error, OriginError::Refused(_)), "{error}");
    assert_eq!(thief.seen().len(), 0);
}

#[tokio::test]
async fn a_broken_token_service_is_an_error_that_names_it() {
    let service = TestOrigin::start(|_| Reply::status(403)).await;
    let realm = service.url.clone();
    let origin = TestOrigin::start(move |_| bearer_challenge(&realm)).await;
    let origins = origins(with_account(config(&[&origin])));
    let error = origins.manifest(&image(), &digest(b"")).await.expect_err("denied");
    assert!(matches!(error, OriginError::Denied(_)), "{error}");
    assert!(error.to_string().contains(&format!("{}/token", service.url)), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
