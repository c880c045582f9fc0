//! How a body ends when it can't be whole: exactly the bytes that were handed out, then FIN.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{
    MirrorConfig, Running,
    memory::{Ending, Memory, digest, noise},
    patient,
};
use crate::server::test_client::{Client, PATIENCE, ask};

const LEN_BYTES: usize = 3_000_000;
const CANCELLED: &str =
    "shoal_mirror_requests_total{kind=\"blob\",outcome=\"cancelled\",reason=\"client_left\"} 1";

fn get(content: &[u8]) -> String {
    format!("GET /v2/app/blobs/{}?ns=ghcr.io HTTP/1.1\r\nHost: m\r\n\r\n", digest(content))
}

async fn breaking(content: &[u8], chunk_bytes: usize, ending: Ending) -> Running {
    Running::with(Memory::default().blob_that(content, chunk_bytes, ending)).await
}

#[tokio::test]
async fn a_client_gets_every_byte_handed_out_and_then_fin() {
    let content = noise(LEN_BYTES);
    for (chunk_bytes, after_bytes) in
        [(1, 1), (1, 40), (1000, 999), (16_384, 100_000), (65_536, 2_000_000), (1 << 22, 2_999_999)]
    {
        for ending in [
            Ending::Breaks { after_bytes: after_bytes as u64 },
            Ending::Short { after_bytes: after_bytes as u64 },
        ] {
            let mirror = breaking(&content, chunk_bytes, ending).await;
            let mut client = Client::connect(mirror.address).await;
            client.send(get(&content)).await;
            let head = client.head().await;
            assert_eq!((head.status, head.get("content-length")), (200, Some("3000000")));
            let body = client.until_fin().await.expect("FIN, no reset");
            assert!(body == content[..after_bytes], "{} bytes, not {after_bytes}", body.len());
        }
    }
}

#[tokio::test]
async fn unread_requests_turn_no_fin_into_a_reset() {
    let content = noise(LEN_BYTES);
    let mirror = breaking(&content, 65_536, Ending::Breaks { after_bytes: 1_500_000 }).await;
    for extra in [get(&content), get(&content).repeat(400), "x".repeat(100_000)] {
        let mut client = Client::connect(mirror.address).await;
        client.send(get(&content) + &extra).await;
        assert_eq!(client.head().await.status, 200);
        // The mirror is done long before the client reads.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let body = client.until_fin().await.expect("FIN, no reset");
        assert!(body == content[..1_500_000], "{} bytes", body.len());
    }
}

#[tokio::test]
async fn a_client_that_reads_late_gets_it_all_too() {
    let content = noise(LEN_BYTES);
    let mirror = breaking(&content, 65_536, Ending::Breaks { after_bytes: 2_500_000 }).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.head().await.status, 200);
    for at in (0..2_000_000).step_by(100_000) {
        assert!(client.bytes(100_000).await == content[at..at + 100_000]);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(client.until_fin().await.expect("FIN, no reset") == content[2_000_000..2_500_000]);
    let line = "shoal_mirror_requests_total{kind=\"blob\",outcome=\"broken\",reason=\"interrupted\"} 1";
    mirror.until_counted(line).await;
}

#[tokio::test]
async fn the_rest_can_be_asked_for_with_a_range() {
    let content = noise(LEN_BYTES);
    let mirror = breaking(&content, 65_536, Ending::Breaks { after_bytes: 1_000_000 }).await;
    let path = format!("/v2/app/blobs/{}?ns=ghcr.io", digest(&content));
    let mut got = ask(mirror.address, "GET", &path, &[]).await.body;
    while got.len() < LEN_BYTES {
        let from = got.len();
        let reply = ask(mirror.address, "GET", &path, &[("Range", &format!("bytes={from}-"))]).await;
        assert_eq!(reply.head.status, 206);
        reply.head.has(&[("content-range", &format!("bytes {from}-2999999/3000000"))]);
        assert!(reply.body.len() >= 1_000_000 || from + reply.body.len() == LEN_BYTES);
        got.extend(reply.body);
    }
    assert!(got == content);
}

#[tokio::test]
async fn headers_do_not_wait_for_ever_for_the_first_byte() {
    let content = noise(LEN_BYTES);
    let told = Arc::new(Semaphore::new(0));
    let ending = Ending::BreaksWhenTold { after_bytes: 0, told: told.clone() };
    let config = MirrorConfig { first_bytes_wait: Duration::from_millis(20), ..patient() };
    let mirror = Running::start(Memory::default().blob_that(&content, 1000, ending), config).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    assert_eq!(client.head().await.status, 200);
    told.add_permits(1);
    assert_eq!(client.until_fin().await.expect("FIN, no reset"), b"");
}

#[tokio::test]
async fn a_body_that_stalls_ends_short() {
    let content = noise(LEN_BYTES);
    let config = MirrorConfig { stall_timeout: Duration::from_millis(50), ..patient() };
    let memory = Memory::default().blob_that(&content, 1000, Ending::Stalls { after_bytes: 5000 });
    let mirror = Running::start(memory, config).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    assert_eq!(client.head().await.status, 200);
    assert!(client.until_fin().await.expect("FIN, no reset") == content[..5000]);
}

#[tokio::test]
async fn the_stop_lets_running_answers_finish() {
    let content = noise(LEN_BYTES);
    let mirror = Running::with(Memory::default().blob_that(&content, 65_536, Ending::Whole)).await;
    let mut idle = Client::connect(mirror.address).await;
    idle.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n").await;
    idle.head().await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    assert_eq!(client.head().await.status, 200);
    mirror.shutdown.cancel();
    assert_eq!(idle.until_fin().await.expect("FIN, no reset"), b"{}");
    assert!(client.until_fin().await.expect("FIN, no reset") == content);
    tokio::time::timeout(PATIENCE, mirror.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_stop_ends_short_what_does_not_finish_in_time() {
    let content = noise(LEN_BYTES);
    let mut config = patient();
    config.limits.stop_timeout = Duration::from_millis(50);
    let memory = Memory::default().blob_that(&content, 1000, Ending::Stalls { after_bytes: 5000 });
    let mirror = Running::start(memory, config).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    assert_eq!(client.head().await.status, 200);
    // One that never reads its answer must not hold up the stop either.
    let mut deaf = Client::connect(mirror.address).await;
    deaf.send(get(&content)).await;
    mirror.shutdown.cancel();
    assert!(client.until_fin().await.expect("FIN, no reset") == content[..5000]);
    tokio::time::timeout(PATIENCE, mirror.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_stream() {
    let content = noise(LEN_BYTES);
    let memory = Memory::default().blob_that(&content, 1000, Ending::Stalls { after_bytes: 5000 });
    let open = memory.open.clone();
    let mirror = Running::with(memory).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    client.head().await;
    assert_eq!(open.load(Ordering::SeqCst), 1);
    drop(client);
    mirror.until_counted(CANCELLED).await;
    assert_eq!(open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_look_up() {
    let memory = Memory::that_hangs();
    let open = memory.open.clone();
    let mirror = Running::with(memory).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(b"")).await;
    while open.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(client);
    mirror.until_counted(CANCELLED).await;
    assert_eq!(open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    // More than the socket buffers of both ends take.
    let content = noise(64 << 20);
    let mut config = patient();
    config.limits.write_stall_timeout = Duration::from_millis(100);
    let memory = Memory::default().blob_that(&content, 1 << 20, Ending::Whole);
    let open = memory.open.clone();
    let mirror = Running::start(memory, config).await;
    let mut client = Client::connect(mirror.address).await;
    client.send(get(&content)).await;
    mirror.until_counted(CANCELLED).await;
    assert_eq!(open.load(Ordering::SeqCst), 0);
    assert!(client.until_fin().await.expect("FIN, no reset").len() < content.len());
}
