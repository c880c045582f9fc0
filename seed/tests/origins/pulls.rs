//! Whole blobs, over connections that break and from origins that do less than they should.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    identity::NodeKey,
};
use shoal_seed::{
    origin::OriginError,
    pull::{PieceSink, PullConfig, PullError, Puller, SinkError},
};

use crate::support::{
    Collector, Reply, Seen, TestOrigin, bearer_challenge, config, content, digest, image, puller,
};

/// Some pieces, the last of them short.
const BLOB_BYTES: usize = 64 * 1024 * 5 + 1000;

async fn pull(
    puller: &Puller,
    blob: &Bytes,
    from: Option<&Chain>,
) -> (Result<ChainBuilder, PullError>, Collector) {
    let sink = Collector::default();
    let pulled = puller.pull_blob(&image(), &digest(blob), from, &sink).await;
    (pulled, sink)
}

/// Serves ranges as asked.
fn serve(blob: &Bytes, seen: &Seen) -> Reply {
    match seen.range_start() {
        None => Reply::bytes(blob.clone()),
        Some(start) => Reply::range(blob, start),
    }
}

/// The chain of the first `pieces` pieces.
fn chain_of(blob: &Bytes, pieces: u32) -> Chain {
    chain_over(blob, digest(blob), pieces)
}

/// A chain that says it leads to `digest`.
fn chain_over(blob: &Bytes, digest: Digest, pieces: u32) -> Chain {
    let geometry = Geometry::for_blob(blob.len() as u64).expect("short");
    let mut chain = ChainBuilder::new(digest, geometry);
    for piece in 0..pieces {
        let range = geometry.range(piece);
        chain.push(&blob[range.start as usize..range.end as usize]).expect("in order");
    }
    chain.sign(&NodeKey::from_secret([7; 32]), None)
}

#[tokio::test]
async fn blobs_of_every_awkward_length_come_whole() {
    let lengths = [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 64 * 1024 * 4, 3_000_000];
    for length in lengths {
        let blob = content(length);
        let served = blob.clone();
        let origin = TestOrigin::start(move |seen| serve(&served, seen)).await;
        let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
        assert!(pulled.expect("pulled").is_done(), "{length}");
        assert_eq!(sink.blob(), blob, "{length}");
        assert_eq!(sink.piece_count(), length.div_ceil(64 * 1024).max(1));
        assert_eq!(origin.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_broken_connection_is_resumed_where_it_ended() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| match seen.range_start() {
        None => Reply::cut(&served, 100_000),
        Some(start) => Reply::range(&served, start),
    })
    .await;
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
    pulled.expect("pulled");
    assert_eq!(sink.blob(), blob);
    let starts: Vec<_> = origin.seen().iter().map(Seen::range_start).collect();
    assert_eq!(starts, [None, Some(100_000)]);
}

#[tokio::test]
async fn a_silent_connection_is_given_up_for_another() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| match seen.range_start() {
        None => Reply::stalled(&served, 100_000),
        Some(start) => Reply::range(&served, start),
    })
    .await;
    let mut config = config(&[&origin]);
    config.limits.idle_timeout_ms = 200;
    let (pulled, sink) = pull(&puller(config), &blob, None).await;
    pulled.expect("pulled");
    assert_eq!(sink.blob(), blob);
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_layer_is_renewed() {
    let blob = content(BLOB_BYTES);
    let (served, own_url) = (blob.clone(), Arc::new(OnceLock::<String>::new()));
    let url = Arc::clone(&own_url);
    let tokens = AtomicUsize::new(0);
    let origin = TestOrigin::start(move |seen| {
        let number = tokens.load(Ordering::SeqCst);
        match (seen.path.as_str(), seen.header("authorization"), seen.range_start()) {
            ("/token", ..) => {
                Reply::bytes(format!(r#"{{"token": "t{}"}}"#, tokens.fetch_add(1, Ordering::SeqCst) + 1))
            }
            (_, Some("Bearer t1"), None) => Reply::cut(&served, 100_000),
            (_, Some("Bearer t2"), Some(start)) if number == 2 => Reply::range(&served, start),
            _ => bearer_challenge(url.get().expect("set before the first request")),
        }
    })
    .await;
    own_url.set(origin.url.clone()).expect("set once");
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
    pulled.expect("pulled");
    assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 1));
    assert_eq!(origin.count("/token"), 2);
}

#[tokio::test]
async fn a_blob_of_another_length_than_its_chain_is_pulled_anew() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| serve(&served, seen)).await;
    let chain = chain_over(&content(BLOB_BYTES * 2), digest(&blob), 3);
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, Some(&chain)).await;
    pulled.expect("pulled");
    assert_eq!(sink.blob(), blob);
}

#[tokio::test]
async fn a_pull_ends_when_its_sink_is_full() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |_| Reply::stalled(&served, 200_000)).await;
    let (pulled, wanted) = (puller(config(&[&origin])), digest(&blob));
    let error = pulled.pull_blob(&image(), &wanted, None, &FullSink).await.expect_err("full");
    assert!(matches!(error, PullError::Sink(_)), "{error}");
}

/// Takes nothing.
struct FullSink;

impl PieceSink for FullSink {
    fn started(&self, _: Geometry) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }

    fn pieces<'a>(
        &'a self,
        _: PieceIndex,
        _: Vec<Bytes>,
        _: &'a ChainBuilder,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(async { Err("no space left".into()) })
    }
}

#[tokio::test]
async fn an_origin_without_ranges_is_read_again_and_skipped() {
    for refusal in [200, 400, 416] {
        let blob = content(BLOB_BYTES);
        let served = blob.clone();
        let asked = AtomicUsize::new(0);
        let origin = TestOrigin::start(move |seen| match (seen.range_start(), refusal) {
            (Some(_), 400 | 416) => Reply::status(refusal),
            _ if asked.fetch_add(1, Ordering::SeqCst) == 0 => Reply::cut(&served, 100_000),
            _ => Reply::bytes(served.clone()),
        })
        .await;
        let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
        pulled.expect("pulled");
        assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 1), "{refusal}");
    }
}

#[tokio::test]
async fn a_pull_gives_up_when_nothing_more_comes() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| match seen.range_start() {
        None => Reply::cut(&served, 100_000),
        Some(_) => Reply::status(503),
    })
    .await;
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
    let error = pulled.expect_err("gone");
    assert!(matches!(error, PullError::Origin(OriginError::Unavailable { .. })), "{error}");
    assert_eq!(sink.blob(), blob[..64 * 1024], "what came is handed on all the same");
    assert_eq!(origin.seen().len(), 1 + PullConfig::default().tries_without_progress as usize - 1);
}

#[tokio::test]
async fn an_origin_that_never_answers_is_given_up_sooner() {
    let origin = TestOrigin::start(|_| Reply::status(503)).await;
    let (pulled, sink) = pull(&puller(config(&[&origin])), &content(10), None).await;
    assert!(pulled.is_err());
    assert_eq!(sink.start_count(), 0);
    assert_eq!(origin.seen().len(), PullConfig::default().opening_tries as usize);
}

#[tokio::test]
async fn a_missing_blob_is_not_asked_for_again() {
    let origin = TestOrigin::start(|_| Reply::status(404)).await;
    let (pulled, _) = pull(&puller(config(&[&origin])), &content(10), None).await;
    assert!(matches!(pulled, Err(PullError::Origin(OriginError::NotFound(_)))));
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn an_unknown_length_is_found_out_first() {
    let blob = content(BLOB_BYTES);
    for length in [0, 1, BLOB_BYTES] {
        let blob = blob.slice(..length);
        let served = blob.clone();
        let origin = TestOrigin::start(move |_| Reply::chunked(served.clone())).await;
        let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, None).await;
        pulled.expect("pulled");
        assert_eq!(sink.blob(), blob);
        assert_eq!(sink.starts.lock().expect("not poisoned")[0].blob_bytes(), length as u64);
    }
}

#[tokio::test]
async fn wrong_bytes_are_an_error_that_names_the_origin() {
    let blob = content(BLOB_BYTES);
    let mut wrong = blob.to_vec();
    wrong[70_000] ^= 1;
    let wrong = Bytes::from(wrong);
    let origin = TestOrigin::start(move |seen| serve(&wrong, seen)).await;
    let (pulled, _) = pull(&puller(config(&[&origin])), &blob, None).await;
    let error = pulled.expect_err("corrupt");
    assert!(matches!(error, PullError::Origin(OriginError::Corrupt(_))), "{error}");
    assert!(error.to_string().contains(&origin.url), "{error}");
    assert_eq!(origin.seen().len(), 1, "the only endpoint is not asked twice");
}

#[tokio::test]
async fn after_wrong_bytes_another_endpoint_is_tried_once() {
    let blob = content(BLOB_BYTES);
    let (wrong, right) = (content(BLOB_BYTES + 1).slice(1..), blob.clone());
    let liar = TestOrigin::start(move |seen| serve(&wrong, seen)).await;
    let honest = TestOrigin::start(move |seen| serve(&right, seen)).await;
    let (pulled, sink) = pull(&puller(config(&[&liar, &honest])), &blob, None).await;
    pulled.expect("pulled");
    assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 2));
    assert_eq!((liar.seen().len(), honest.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_pull_goes_on_after_a_chain() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| serve(&served, seen)).await;
    let chain = chain_of(&blob, 3);
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, Some(&chain)).await;
    assert!(pulled.expect("pulled").is_done());
    assert_eq!(sink.blob(), blob[3 * 64 * 1024..]);
    assert_eq!(origin.seen()[0].range_start(), Some(3 * 64 * 1024));
}

#[tokio::test]
async fn a_chain_that_does_not_close_is_not_gone_on_with() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| serve(&served, seen)).await;
    let chain = chain_over(&content(BLOB_BYTES + 7).slice(7..), digest(&blob), 3);
    let (pulled, sink) = pull(&puller(config(&[&origin])), &blob, Some(&chain)).await;
    pulled.expect("pulled");
    assert_eq!((sink.blob(), sink.start_count()), (blob.to_vec(), 2));
}

#[tokio::test]
async fn holes_are_filled_with_checked_pieces() {
    let blob = content(BLOB_BYTES);
    let served = blob.clone();
    let origin = TestOrigin::start(move |seen| serve(&served, seen)).await;
    let (puller, image, chain) = (puller(config(&[&origin])), image(), chain_of(&blob, 6));
    let mut range = puller.pull_range(&image, &chain, 2..4);
    for piece in 2..4_u32 {
        let start = piece as usize * 64 * 1024;
        let expected = (piece, blob.slice(start..start + 64 * 1024));
        assert_eq!(range.next().await.expect("good"), Some(expected));
    }
    assert_eq!(range.next().await.expect("the end"), None);
    assert_eq!(origin.seen()[0].header("range"), Some("bytes=131072-262143"));
}

#[tokio::test]
async fn a_hole_is_not_filled_with_anything_else() {
    let blob = content(BLOB_BYTES);
    let wrong = content(BLOB_BYTES + 1).slice(1..);
    let origin = TestOrigin::start(move |seen| serve(&wrong, seen)).await;
    let (puller, image) = (puller(config(&[&origin])), image());
    let chain = chain_of(&blob, 3);
    let error = puller.pull_range(&image, &chain, 1..2).next().await.expect_err("corrupt");
    assert!(matches!(error, PullError::Origin(OriginError::Corrupt(_))), "{error}");
    let error = puller.pull_range(&image, &chain, 4..5).next().await.expect_err("no link");
    assert!(matches!(error, PullError::BeyondChain { piece: 4, .. }), "{error}");
}
