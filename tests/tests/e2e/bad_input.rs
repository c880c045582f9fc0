//! Bad input on every port: a named error each, and nothing dies.

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use serde_json::Value;
use shoal_tests::{cluster::Cluster, http};
use tokio::net::TcpStream;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const GARBAGE_WITHIN: Duration = Duration::from_secs(3);
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_answers_nonsense_in_the_registrys_own_form() {
    let (mut cluster, fixtures) = Cluster::start(1, 1).await;
    let mirror = cluster.peers[0].mirror();
    let long = "a".repeat(2000);
    let cases = [
        ("/v2/UPPER/manifests/v1".to_owned(), 400, "NAME_INVALID"),
        ("/v2/a//b/manifests/v1".to_owned(), 400, "NAME_INVALID"),
        (format!("/v2/../../etc/passwd/blobs/{DIGEST}"), 400, "NAME_INVALID"),
        (format!("/v2/%2e%2e/%2e%2e/blobs/{DIGEST}"), 400, "NAME_INVALID"),
        (format!("/v2/{long}/manifests/v1"), 400, "NAME_INVALID"),
        ("/v2/app/manifests/-bad".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("/v2/app/blobs/sha256:12".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(), 400, "DIGEST_INVALID"),
        (format!("/v2/app/blobs/{}", DIGEST.to_uppercase()), 400, "DIGEST_INVALID"),
        (format!("/v2/app/blobs/{DIGEST}?ns=bad%20host"), 400, "NAME_INVALID"),
        ("/v2/_catalog".to_owned(), 404, "UNSUPPORTED"),
        ("/v2/app/tags/list?last=%2".to_owned(), 400, "UNSUPPORTED"),
        (format!("/v2/app/referrers/{DIGEST}?ns=unknown.example"), 403, "DENIED"),
        (format!("/v2/app/blobs/{DIGEST}?ns=unknown.example"), 404, "BLOB_UNKNOWN"),
        // The seed says that it may not ask there; with 404 the runtime asks itself.
        ("/v2/app/manifests/v1?ns=unknown.example".to_owned(), 404, "DENIED"),
    ];
    for (target, status, code) in cases {
        let request = format!("GET {target} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
        let answer = Answer::of(&http::raw(mirror, request.as_bytes(), ANSWER_WITHIN).await);
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{target}");
    }
    let image = fixtures.image("many-layers", "v1");
    ranges_outside_a_blob_are_416(&cluster, &image).await;
    cluster.peers[0].process().assert_running();
}

async fn ranges_outside_a_blob_are_416(cluster: &Cluster, image: &shoal_tests::stored::Image) {
    let layer = image.largest();
    let url = cluster.peers[0].blob_url(image, layer);
    let client = http::client();
    for range in [format!("bytes={}-", layer.size_bytes), "bytes=-0".to_owned()] {
        let answer = client.get(&url).header("Range", &range).send().await.unwrap();
        assert_eq!(answer.status(), 416, "{range}");
        assert_eq!(answer.headers()["content-range"], format!("bytes */{}", layer.size_bytes), "{range}");
    }
    let answer = client.get(&url).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.bytes().await.unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_dies_of_garbage_on_any_port() {
    let (mut cluster, fixtures) = Cluster::start(1, 2).await;
    for node in cluster.nodes() {
        let (ports, garbage) = ([node.mirror(), node.admin(), node.swarm(), node.lane()], garbage());
        let all = ports.iter().flat_map(|port| garbage.iter().map(|bytes| (*port, bytes)));
        join_all(all.map(|(port, bytes)| http::raw(port, bytes, GARBAGE_WITHIN))).await;
        join_all(ports.map(leave_half_open)).await;
    }
    for node in cluster.seeds.iter_mut().chain(&mut cluster.peers) {
        node.process().assert_running();
        assert!(!node.process().output().contains("panicked"), "{}", node.name());
    }
    cluster.met().await;
    cluster.get_everywhere(&fixtures.image("many-layers", "v1")).await;
}

/// What scanners, mistaken clients and attackers send.
fn garbage() -> Vec<Vec<u8>> {
    let mut noise = vec![0; 256 * 1024];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    let header =
        [b"GET /v2/ HTTP/1.1\r\nHost: m\r\nX: ".as_slice(), &vec![b'a'; 1024 * 1024], b"\r\n\r\n"].concat();
    vec![
        noise,
        vec![0; 64 * 1024],
        vec![0xff; 64 * 1024],
        header,
        [b"GET /".as_slice(), &vec![b'a'; 1024 * 1024], b" HTTP/1.1\r\n\r\n"].concat(),
        b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        b"GET /v2/ HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // A TLS hello that ends in the middle, and a protocol negotiation for a protocol nobody has.
        vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
        b"\x13/multistream/1.0.0\n\x08/nobody\n".to_vec(),
        Vec::new(),
    ]
}

/// Connections that say nothing, and go.
async fn leave_half_open(port: SocketAddr) {
    let connections = join_all((0..100).map(|_| TcpStream::connect(port))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(connections);
}

/// An answer of the mirror, as far as it matters.
struct Answer {
    status: u16,
    code: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let code = json["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
        Self { status, code }
    }
}
