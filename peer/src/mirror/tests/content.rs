//! Every header that runtimes look at.

use std::time::Duration;

use super::{
    Running,
    memory::{Ending, Memory, digest, noise},
};
use crate::{
    content::ContentError,
    server::test_client::{Client, Reply, ask},
};

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const INDEX: &[u8] = b"{\"schemaVersion\":2}";
const LEN_BYTES: usize = 10_000;

async fn library() -> Running {
    let content = Memory::default()
        .tag("docker.io/library/app", "v1", INDEX_TYPE, INDEX)
        .tag("registry.example:5000/app", "v1", "application/vnd.docker.distribution.manifest.v2+json", b"{}")
        .blob(&noise(LEN_BYTES))
        .blob(b"")
        .blob(b"x");
    Running::with(content).await
}

fn blob_path(content: &[u8]) -> String {
    format!("/v2/library/app/blobs/{}?ns=docker.io", digest(content))
}

fn assert_manifest(reply: &Reply) {
    let (digest, tag) = (digest(INDEX).to_string(), format!("\"{}\"", digest(INDEX)));
    assert_eq!(reply.head.status, 200, "{reply:?}");
    reply.head.has(&[
        ("content-type", INDEX_TYPE),
        ("content-length", "19"),
        ("docker-content-digest", &digest),
        ("etag", &tag),
        ("docker-distribution-api-version", "registry/2.0"),
    ]);
    assert_eq!(reply.head.get("content-encoding"), None);
    assert_eq!(reply.head.get("warning"), None);
    assert_eq!(reply.head.get("shoal-stale-seconds"), None);
}

#[tokio::test]
async fn it_is_a_registry() {
    let mirror = library().await;
    for target in ["/v2/", "/v2", "/v2/?ns=docker.io", "http://127.0.0.1:5020/v2/"] {
        let reply = ask(mirror.address, "GET", target, &[]).await;
        assert_eq!((reply.head.status, &reply.body[..]), (200, &b"{}"[..]), "{target}");
        reply.head.has(&[("docker-distribution-api-version", "registry/2.0"), ("content-length", "2")]);
        let head = ask(mirror.address, "HEAD", target, &[]).await;
        assert_eq!((head.head.status, head.body.len()), (200, 0));
    }
}

#[tokio::test]
async fn a_manifest_comes_by_tag_and_digest() {
    let mirror = library().await;
    for reference in ["v1".to_owned(), digest(INDEX).to_string()] {
        for target in [
            format!("/v2/library/app/manifests/{reference}?ns=docker.io"),
            format!("/v2/docker.io/library/app/manifests/{reference}"),
            format!("/v2/library/app/manifests/{reference}"),
        ] {
            // Newer containerds would decode what an encoding header says, early 2.1 sent a range with anything.
            let headers =
                [("Accept-Encoding", "zstd, gzip, deflate"), ("Range", "bytes=0-"), ("Accept", "a/b, */*")];
            let reply = ask(mirror.address, "GET", &target, &headers).await;
            assert_manifest(&reply);
            assert_eq!(reply.body, INDEX);
            let reply = ask(mirror.address, "HEAD", &target, &headers).await;
            assert_manifest(&reply);
            assert_eq!(reply.body, b"");
        }
    }
    let escaped = "/v2/app/manifests/v1?ns=registry.example%3A5000";
    let reply = ask(mirror.address, "GET", escaped, &[]).await;
    assert_eq!(reply.body, b"{}");
    reply.head.has(&[("content-type", "application/vnd.docker.distribution.manifest.v2+json")]);
    mirror
        .until_counted("shoal_mirror_requests_total{kind=\"manifest\",outcome=\"served\",reason=\"none\"} 13")
        .await;
}

#[tokio::test]
async fn a_manifest_that_goes_out_is_told_to_the_content() {
    let content = Memory::default().tag("docker.io/library/app", "v1", INDEX_TYPE, INDEX);
    let passed = content.passed.clone();
    let mirror = Running::with(content).await;
    let by_digest = digest(INDEX).to_string();
    for reference in ["v1", &by_digest, "v2"] {
        ask(mirror.address, "HEAD", &format!("/v2/library/app/manifests/{reference}"), &[]).await;
    }
    assert_eq!(*passed.lock().unwrap(), [], "a HEAD is a question, not a pull");
    for reference in ["v1", &by_digest, "v2"] {
        ask(mirror.address, "GET", &format!("/v2/library/app/manifests/{reference}"), &[]).await;
    }
    assert_eq!(*passed.lock().unwrap(), [digest(INDEX); 2]);
}

#[tokio::test]
async fn a_stale_tag_says_so() {
    let content = Memory::default()
        .tag("docker.io/library/app", "v1", INDEX_TYPE, INDEX)
        .stale(Duration::from_secs(90));
    let mirror = Running::with(content).await;
    for method in ["HEAD", "GET"] {
        let reply = ask(mirror.address, method, "/v2/library/app/manifests/v1", &[]).await;
        reply.head.has(&[("warning", "110 - \"Response is Stale\""), ("shoal-stale-seconds", "90")]);
    }
    mirror.until_counted("shoal_mirror_stale_answers_total 2").await;
}

#[tokio::test]
async fn a_blob_comes_whole() {
    let mirror = library().await;
    for content in [noise(LEN_BYTES), Vec::new(), b"x".to_vec()] {
        let len_bytes = content.len().to_string();
        let (digest, tag) = (digest(&content).to_string(), format!("\"{}\"", digest(&content)));
        for method in ["HEAD", "GET"] {
            let reply = ask(mirror.address, method, &blob_path(&content), &[]).await;
            assert_eq!(reply.head.status, 200);
            reply.head.has(&[
                ("content-length", &len_bytes),
                ("content-type", "application/octet-stream"),
                ("docker-content-digest", &digest),
                ("etag", &tag),
                ("accept-ranges", "bytes"),
            ]);
            assert_eq!(reply.head.get("content-range"), None);
            assert_eq!(reply.head.get("transfer-encoding"), None);
            assert_eq!(reply.head.get("content-encoding"), None);
            assert!(reply.body == if method == "GET" { &content[..] } else { b"" });
        }
    }
    mirror.until_counted("shoal_mirror_sent_bytes_total{kind=\"blob\"} 10001").await;
}

#[tokio::test]
async fn a_range_gets_exactly_its_part() {
    let mirror = library().await;
    let content = noise(LEN_BYTES);
    for (range, part) in [
        ("bytes=0-", 0..10_000),
        ("bytes=0-0", 0..1),
        ("bytes=4000-", 4000..10_000),
        ("bytes=999-2000", 999..2001),
        ("bytes=-7", 9993..10_000),
        ("bytes=9999-99999", 9999..10_000),
    ] {
        let reply = ask(mirror.address, "GET", &blob_path(&content), &[("Range", range)]).await;
        assert_eq!(reply.head.status, 206, "{range}");
        let content_range = format!("bytes {}-{}/10000", part.start, part.end - 1);
        reply.head.has(&[("content-range", &content_range), ("content-length", &part.len().to_string())]);
        assert!(reply.body == content[part], "{range}");
    }
}

#[tokio::test]
async fn a_range_outside_is_told_the_length() {
    let mirror = library().await;
    let reply = ask(mirror.address, "GET", &blob_path(&noise(LEN_BYTES)), &[("Range", "bytes=10000-")]).await;
    assert_eq!(reply.head.status, 416);
    reply.head.has(&[("content-range", "bytes */10000")]);
    assert_eq!(reply.code(), "SIZE_INVALID");
}

#[tokio::test]
async fn what_is_no_single_matching_range_gets_the_whole() {
    let mirror = library().await;
    let content = noise(LEN_BYTES);
    let own_tag = format!("\"{}\"", digest(&content));
    let weak_tag = format!("W/{own_tag}");
    let whole: &[&[(&str, &str)]] = &[
        &[("Range", "bytes=0-1,4-5")],
        &[("Range", "bytes=5-1")],
        &[("Range", "lines=0-1")],
        &[("Range", "bytes=0-1"), ("Range", "bytes=4-5")],
        &[("Range", "bytes=0-1"), ("If-Range", "\"other\"")],
        &[("Range", "bytes=0-1"), ("If-Range", &weak_tag)],
        &[("Range", "bytes=0-1"), ("If-Range", "Sat, 21 Nov 2026 20:00:00 GMT")],
    ];
    for headers in whole {
        let reply = ask(mirror.address, "GET", &blob_path(&content), headers).await;
        assert_eq!((reply.head.status, reply.body.len()), (200, LEN_BYTES), "{headers:?}");
    }
    let matching = [("Range", "bytes=0-1"), ("If-Range", own_tag.as_str())];
    let reply = ask(mirror.address, "GET", &blob_path(&content), &matching).await;
    assert_eq!((reply.head.status, reply.body.len()), (206, 2));
    // An empty blob has no part that could be named, and HEAD has no ranges.
    let reply = ask(mirror.address, "GET", &blob_path(b""), &[("Range", "bytes=0-")]).await;
    assert_eq!((reply.head.status, reply.body.len()), (200, 0));
    let reply = ask(mirror.address, "HEAD", &blob_path(&content), &[("Range", "bytes=0-1")]).await;
    assert_eq!((reply.head.status, reply.head.get("content-length")), (200, Some("10000")));
}

#[tokio::test]
async fn a_connection_carries_one_request_after_another() {
    let mirror = library().await;
    let content = noise(LEN_BYTES);
    let mut client = Client::connect(mirror.address).await;
    for _ in 0..3 {
        client.send(format!("GET {} HTTP/1.1\r\nHost: m\r\n\r\n", blob_path(&content))).await;
        assert_eq!(client.head().await.status, 200);
        assert!(client.bytes(LEN_BYTES).await == content);
        client.send("HEAD /v2/library/app/manifests/v1 HTTP/1.1\r\nHost: m\r\n\r\n").await;
        client.head().await.has(&[("content-length", "19")]);
        client.send("GET /v2/absent/manifests/v1 HTTP/1.1\r\nHost: m\r\n\r\n").await;
        let head = client.head().await;
        assert_eq!(head.status, 404);
        client.bytes(head.get("content-length").unwrap().parse().unwrap()).await;
    }
}

#[tokio::test]
async fn what_is_not_here_lets_the_runtime_go_on() {
    let errors = [
        (ContentError::NotHere("no seed".into()), 404, ["BLOB_UNKNOWN", "MANIFEST_UNKNOWN"], "not_here"),
        (ContentError::NotFound, 404, ["BLOB_UNKNOWN", "MANIFEST_UNKNOWN"], "not_found"),
        (ContentError::Denied("not on the list".into()), 404, ["DENIED"; 2], "denied"),
        (ContentError::Unsigned("nobody signed it".into()), 403, ["DENIED"; 2], "unsigned"),
        (ContentError::Overloaded("too many downloads"), 503, ["UNAVAILABLE"; 2], "overloaded"),
    ];
    for (error, status, [blob_code, manifest_code], reason) in errors {
        let mirror = Running::with(Memory::default().fails(digest(b""), error)).await;
        let blob = ask(mirror.address, "GET", &blob_path(b""), &[]).await;
        assert_eq!((blob.head.status, blob.code().as_str()), (status, blob_code));
        let manifest_path = blob_path(b"").replace("blobs", "manifests");
        let manifest = ask(mirror.address, "GET", &manifest_path, &[]).await;
        assert_eq!((manifest.head.status, manifest.code().as_str()), (status, manifest_code));
        for path in [blob_path(b""), manifest_path] {
            let head = ask(mirror.address, "HEAD", &path, &[]).await;
            assert_eq!((head.head.status, head.body.len()), (status, 0));
        }
        let count = format!("{{kind=\"blob\",outcome=\"handed_over\",reason=\"{reason}\"}} 2");
        mirror.until_counted(&format!("shoal_mirror_requests_total{count}")).await;
    }
}

#[tokio::test]
async fn what_is_found_too_late_is_not_here() {
    let mut config = super::patient();
    config.answer_timeout = Duration::from_millis(50);
    let mirror = Running::start(Memory::that_hangs(), config).await;
    let reply = ask(mirror.address, "GET", &blob_path(b""), &[]).await;
    assert_eq!((reply.head.status, reply.code().as_str()), (404, "BLOB_UNKNOWN"));
    let reply = ask(mirror.address, "GET", "/v2/a/manifests/v1", &[]).await;
    assert_eq!((reply.head.status, reply.code().as_str()), (404, "MANIFEST_UNKNOWN"));
}

#[tokio::test]
async fn a_blob_that_fails_before_its_first_byte_is_not_here() {
    let content = noise(LEN_BYTES);
    let memory = Memory::default().blob_that(&content, 1000, Ending::Breaks { after_bytes: 0 });
    let mirror = Running::with(memory).await;
    let reply = ask(mirror.address, "GET", &blob_path(&content), &[]).await;
    assert_eq!((reply.head.status, reply.code().as_str()), (404, "BLOB_UNKNOWN"));
}

#[tokio::test]
async fn a_media_type_that_is_no_header_is_not_passed_on() {
    let memory = Memory::default().tag("docker.io/library/app", "v1", "a/b\r\nEvil: yes", INDEX);
    let mirror = Running::with(memory).await;
    let reply = ask(mirror.address, "GET", "/v2/library/app/manifests/v1", &[]).await;
    assert_eq!((reply.head.status, reply.code().as_str()), (404, "MANIFEST_UNKNOWN"));
}
