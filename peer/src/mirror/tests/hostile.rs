//! Clients that mean no good, and clients that are just odd.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Running, memory::Memory, patient};
use crate::server::test_client::{Client, PATIENCE, ask};

#[tokio::test]
async fn nothing_can_be_written() {
    let mirror = Running::with(Memory::default()).await;
    for (method, target) in [
        ("POST", "/v2/app/blobs/uploads/"),
        ("PUT", "/v2/app/manifests/v1"),
        ("PATCH", "/v2/app/blobs/uploads/1"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("OPTIONS", "/v2/"),
        ("TRACE", "/v2/"),
        ("BREW", "/v2/"),
        ("CONNECT", "example.com:443"),
    ] {
        let reply = ask(mirror.address, method, target, &[]).await;
        assert_eq!((reply.head.status, reply.code().as_str()), (405, "UNSUPPORTED"), "{method}");
        reply.head.has(&[("allow", "GET, HEAD"), ("connection", "close")]);
    }
}

#[tokio::test]
async fn a_push_with_its_body_sees_the_refusal() {
    let mirror = Running::with(Memory::default()).await;
    let mut client = Client::connect(mirror.address).await;
    client.send("PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: m\r\nContent-Length: 500000\r\n\r\n").await;
    client.send(vec![b'x'; 500_000]).await;
    assert_eq!(client.head().await.status, 405);
    client.until_fin().await.expect("FIN, no reset");
}

#[tokio::test]
async fn a_request_that_two_servers_could_read_differently_is_refused() {
    let mirror = Running::with(Memory::default()).await;
    let smuggled = "GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n";
    let heads = [
        "Content-Length: 31\r\n",
        "Content-Length: 31\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nContent-Length: 31\r\n",
        "Content-Length: 0, 31\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: 00\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x1f\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 0\r\n",
        "Content-Length:\r\n",
        "Content-Length: 3 1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X\0: y\r\n",
        "X: a\0b\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "Host: other\r\n",
        "Expect: 100-continue\r\nContent-Length: 31\r\n",
    ];
    for method in ["GET", "HEAD"] {
        for head in heads {
            let mut client = Client::connect(mirror.address).await;
            client.send(format!("{method} /v2/ HTTP/1.1\r\nHost: m\r\n{head}\r\n{smuggled}")).await;
            assert_eq!(client.head().await.status, 400, "{method} {head:?}");
            let rest = client.until_fin().await.expect("FIN, no reset");
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "the smuggled request was answered: {head:?}");
            assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"), "{head:?} got two answers");
        }
    }
    // A length of zero is no body.
    let reply = ask(mirror.address, "GET", "/v2/", &[("Content-Length", "0")]).await;
    assert_eq!(reply.head.status, 200);
}

#[tokio::test]
async fn what_is_no_http_gets_an_error_or_an_end() {
    let mirror = Running::with(Memory::default()).await;
    let long_path = format!("GET /v2/{}/manifests/v1 HTTP/1.1\r\nHost: m\r\n\r\n", "a".repeat(9000));
    let endless_path = format!("GET /{}", "a".repeat(20_000));
    let many_headers = format!("GET /v2/ HTTP/1.1\r\nHost: m\r\n{}\r\n", "X: y\r\n".repeat(500));
    let large_header = format!("GET /v2/ HTTP/1.1\r\nHost: m\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    let texts: [&[u8]; 9] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n\r\n",
        b"GET  /v2/ HTTP/1.1\r\n\r\n",
        long_path.as_bytes(),
        endless_path.as_bytes(),
        many_headers.as_bytes(),
        large_header.as_bytes(),
    ];
    for text in texts {
        let mut client = Client::connect(mirror.address).await;
        client.send(text).await;
        client.stream.shutdown().await.unwrap();
        let reply = client.until_fin().await.expect("FIN, no reset");
        let reply = String::from_utf8_lossy(&reply);
        let shown = String::from_utf8_lossy(&text[..text.len().min(40)]);
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 4"), "{shown:?} got {reply:?}");
    }
    assert_eq!(ask(mirror.address, "GET", "/v2/", &[]).await.head.status, 200);
}

#[tokio::test]
async fn malformed_names_get_errors_in_the_registrys_form() {
    let mirror = Running::with(Memory::default()).await;
    let long = format!("/v2/{}/manifests/v1", "a/".repeat(700));
    for (target, status, code) in [
        ("/v2/A/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/%2e%2e/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/../../etc/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a%2500/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a/manifests/v1?ns=a&ns=b", 400, "NAME_INVALID"),
        (long.as_str(), 400, "NAME_INVALID"),
        ("/v2/a/manifests/.v1", 404, "MANIFEST_UNKNOWN"),
        ("/v2/a/blobs/sha256:zz", 400, "DIGEST_INVALID"),
        ("/v2/_catalog", 404, "UNSUPPORTED"),
        ("/metrics", 404, "UNSUPPORTED"),
        ("/v2/a/manifests/v1", 404, "MANIFEST_UNKNOWN"),
    ] {
        let reply = ask(mirror.address, "GET", target, &[]).await;
        assert_eq!((reply.head.status, reply.code().as_str()), (status, code), "{target}");
        let head = ask(mirror.address, "HEAD", target, &[]).await;
        assert_eq!((head.head.status, head.body.len()), (status, 0), "{target}");
    }
}

#[tokio::test]
async fn a_client_that_sends_slowly_is_closed() {
    let mut config = patient();
    config.limits.header_timeout = Duration::from_millis(100);
    let mirror = Running::start(Memory::default(), config).await;
    for start in ["", "G", "GET /v2/ HTTP/1.1\r\nHost: m\r\nX: "] {
        let mut client = Client::connect(mirror.address).await;
        client.send(start).await;
        let (mut read, mut write) = client.stream.split();
        let dripping = async {
            // Each byte is progress, but no request comes of it.
            while write.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut answer = Vec::new();
        let closed = read.read_to_end(&mut answer);
        tokio::select! {
            _ = closed => {}
            () = dripping, if !start.is_empty() => {}
            () = tokio::time::sleep(PATIENCE) => panic!("{start:?} is still open"),
        }
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    mirror.until_counted("shoal_http_connections{listener=\"mirror\"} 0").await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut config = patient();
    config.limits.header_timeout = Duration::from_millis(100);
    let mirror = Running::start(Memory::default(), config).await;
    let mut client = Client::connect(mirror.address).await;
    client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.until_fin().await.expect("FIN, no reset"), b"{}");
}

#[tokio::test]
async fn connections_are_bounded() {
    let mut config = patient();
    config.limits.max_connections = 2;
    let mirror = Running::start(Memory::default(), config).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(mirror.address).await;
        client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        kept.push(client);
    }
    let refused = ask(mirror.address, "GET", "/v2/", &[]).await;
    assert_eq!((refused.head.status, refused.body.len()), (503, 0));
    mirror.until_counted("shoal_http_connections_refused_total{listener=\"mirror\"} 1").await;
    kept.pop();
    mirror.until_counted("shoal_http_connections{listener=\"mirror\"} 1").await;
    assert_eq!(ask(mirror.address, "GET", "/v2/", &[]).await.head.status, 200);
}
