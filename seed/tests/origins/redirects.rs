//! Redirects: followed by hand, without taking secrets along.

use shoal_seed::origin::{BlobRange, OriginError};

use crate::support::{
    Collector, Reply, TestOrigin, config, content, digest, image, origins, puller, with_account,
};

#[tokio::test]
async fn a_blob_comes_from_elsewhere_without_the_password() {
    let blob = content(200_000);
    let served = blob.clone();
    let cdn = TestOrigin::start(move |_| Reply::bytes(served.clone())).await;
    let target = format!("{}/store/1?signature=s3cr3t", cdn.url);
    let origin = TestOrigin::start(move |seen| match seen.header("authorization") {
        None => Reply::status(401).header("www-authenticate", "Basic"),
        Some(_) => Reply::redirect(&target),
    })
    .await;
    let sink = Collector::default();
    let puller = puller(with_account(config(&[&origin])));
    puller.pull_blob(&image(), &digest(&blob), None, &sink).await.expect("pulled");
    assert_eq!(sink.blob(), blob);
    let at_cdn = &cdn.seen()[0];
    assert_eq!(at_cdn.query, "signature=s3cr3t");
    assert_eq!(at_cdn.header("authorization"), None);
    assert!(at_cdn.header("referer").is_none());
}

#[tokio::test]
async fn the_password_stays_away_after_a_detour() {
    let detour = TestOrigin::start(|seen| {
        let home = seen.query.strip_prefix("home=").expect("as the origin wrote it");
        Reply::redirect(&format!("http://{home}/back"))
    })
    .await;
    let away = detour.url.clone();
    let origin = TestOrigin::start(move |seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/back", _) => Reply::bytes("x"),
        (_, None) => Reply::status(401).header("www-authenticate", "Basic"),
        _ => Reply::redirect(&format!("{away}/?home={}", seen.header("host").expect("HTTP/1.1"))),
    })
    .await;
    let origins = origins(with_account(config(&[&origin])));
    origins.blob(&image(), &digest(b"x"), BlobRange::default()).await.expect("served");
    assert_eq!(detour.seen()[0].header("authorization"), None);
    let last = origin.seen().pop().expect("asked");
    assert_eq!((last.path.as_str(), last.header("authorization")), ("/back", None));
}

#[tokio::test]
async fn a_loop_ends() {
    let origin = TestOrigin::start(|seen| Reply::redirect(&seen.path)).await;
    let error = origins(config(&[&origin])).stat(&image(), &digest(b"")).await.expect_err("a loop");
    assert!(matches!(error, OriginError::Refused(_)), "{error}");
    assert_eq!(origin.seen().len(), 6);
}

#[tokio::test]
async fn no_redirect_from_tls_to_plain_http() {
    let cert = crate::tls::TestAuthority::new();
    let plain = TestOrigin::start(|_| Reply::status(200)).await;
    let target = plain.url.clone();
    let origin = TestOrigin::start_tls(cert.acceptor(), move |_| Reply::redirect(&target)).await;
    let mut config = config(&[&origin]);
    config.ca_file = Some(cert.ca_file());
    let error = origins(config).stat(&image(), &digest(b"")).await.expect_err("refused");
    assert!(error.to_string().contains("plain http"), "{error}");
    assert_eq!(plain.seen().len(), 0);
}

#[tokio::test]
async fn the_challenge_of_a_redirects_target_is_not_answered() {
    let thief = TestOrigin::start(|_| Reply::status(401).header("www-authenticate", "Basic")).await;
    let target = thief.url.clone();
    let origin = TestOrigin::start(move |_| Reply::redirect(&target)).await;
    let origins = origins(with_account(config(&[&origin])));
    let error = origins.blob(&image(), &digest(b""), BlobRange::default()).await.expect_err("denied");
    assert!(matches!(error, OriginError::Denied(_)), "{error}");
    assert!(thief.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn a_signed_url_that_refuses_head_is_asked_by_get() {
    let blob = content(1000);
    let served = blob.clone();
    let cdn = TestOrigin::start(move |seen| match seen.method {
        http::Method::HEAD => Reply::status(403),
        _ => Reply::range(&served, 0),
    })
    .await;
    let target = cdn.url.clone();
    let origin = TestOrigin::start(move |_| Reply::redirect(&target)).await;
    let length = origins(config(&[&origin])).stat(&image(), &digest(&blob)).await;
    assert_eq!(length, Ok(1000));
}
