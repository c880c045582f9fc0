//! An origin registry on loopback that holds one image and counts what it is asked for.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, response::Builder};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use shoal_protocol::digest::Digest;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};

use super::{
    image::{MadeImage, Part},
    pace::Pace,
};

/// Name of the only repository.
pub(super) const REPOSITORY: &str = "demo/image";
/// Its only tag.
pub(super) const TAG: &str = "latest";

/// How much is read from disk at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// The running registry. It stops when dropped.
pub(super) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

/// What the registry was asked for so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// GETs of each blob, ranges included.
    pub(super) gets_by_blob: BTreeMap<Digest, u64>,
    /// Requests for manifests, HEADs included.
    pub(super) manifest_requests: u64,
    /// Bytes of blobs that were sent.
    pub(super) blob_bytes: u64,
}

struct Shared {
    image: MadeImage,
    tally: Mutex<Tally>,
    pace: Pace,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Reply = Result<Response<Body>, http::Error>;

impl Origin {
    /// Serves `image` on a port of the system's choice, at most `rate_bytes_per_s` in all.
    pub(super) async fn serve(image: MadeImage, rate_bytes_per_s: Option<u64>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { image, tally: Mutex::default(), pace: Pace::new(rate_bytes_per_s) });
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _accept: AbortOnDropHandle::new(accept) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked for so far.
    pub(super) fn tally(&self) -> Tally {
        self.shared.counted(|tally| tally.clone())
    }
}

impl Shared {
    fn counted<T>(&self, count: impl FnOnce(&mut Tally) -> T) -> T {
        count(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Connections live in this task's set, so that they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let reply = match find(&shared.image, request.uri().path()) {
        _ if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            refusal(StatusCode::METHOD_NOT_ALLOWED)
        }
        Found::Api => Response::builder().body(empty()),
        Found::Nothing => refusal(StatusCode::NOT_FOUND),
        Found::Manifest(part) => {
            shared.counted(|tally| tally.manifest_requests += 1);
            send(&shared, &request, part, false).await
        }
        Found::Blob(part) => send(&shared, &request, part, true).await,
    };
    // Every header above is well formed, so this can't happen; an empty 200 would still be a refused digest.
    Ok(reply.unwrap_or_else(|_| Response::new(empty())))
}

enum Found<'a> {
    Api,
    Manifest(&'a Part),
    Blob(&'a Part),
    Nothing,
}

fn find<'a>(image: &'a MadeImage, path: &str) -> Found<'a> {
    if path == "/v2/" || path == "/v2" {
        return Found::Api;
    }
    let item = path.strip_prefix("/v2/").and_then(|rest| rest.strip_prefix(REPOSITORY));
    let manifest = &image.manifest;
    match item.and_then(|item| item.strip_prefix('/')).and_then(|item| item.split_once('/')) {
        Some(("manifests", name)) if name == TAG || name == manifest.digest.to_string() => {
            Found::Manifest(manifest)
        }
        Some(("blobs", name)) => {
            let blob = image.blobs.iter().find(|blob| blob.digest.to_string() == name);
            blob.map_or(Found::Nothing, Found::Blob)
        }
        _ => Found::Nothing,
    }
}

async fn send(shared: &Arc<Shared>, request: &Request<Incoming>, part: &Part, is_blob: bool) -> Reply {
    let Some(range) = range_of(request, part.size_bytes) else {
        return refusal(StatusCode::RANGE_NOT_SATISFIABLE);
    };
    let head = head(part, &range);
    if request.method() == Method::HEAD {
        return head.body(empty());
    }
    if is_blob {
        shared.counted(|tally| *tally.gets_by_blob.entry(part.digest).or_default() += 1);
    }
    match contents(shared, part, range, is_blob).await {
        Ok(body) => head.body(body),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn head(part: &Part, range: &Range<u64>) -> Builder {
    let size_bytes = part.size_bytes;
    let head = Response::builder()
        .header(header::CONTENT_TYPE, part.media_type)
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header("Docker-Content-Digest", part.digest.to_string());
    if *range == (0..size_bytes) {
        return head;
    }
    let content_range = format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1);
    head.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content_range)
}

/// The bytes asked for: all without a Range; `None` when the Range lies outside.
fn range_of(request: &Request<Incoming>, size_bytes: u64) -> Option<Range<u64>> {
    let text = request.headers().get(header::RANGE).map(HeaderValue::to_str);
    let Some(Ok(text)) = text else {
        return Some(0..size_bytes);
    };
    let (start, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = start.parse().ok()?;
    let end = match last {
        "" => size_bytes,
        last => last.parse::<u64>().ok()?.checked_add(1)?.min(size_bytes),
    };
    (start < end).then_some(start..end)
}

async fn contents(shared: &Arc<Shared>, part: &Part, range: Range<u64>, is_blob: bool) -> io::Result<Body> {
    let mut file = File::open(shared.image.path(&part.digest)).await?;
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let shared = Arc::clone(shared);
    let chunks = ReaderStream::with_capacity(file.take(range.end - range.start), CHUNK_BYTES);
    let frames = chunks.and_then(move |chunk: Bytes| {
        let shared = Arc::clone(&shared);
        async move {
            shared.pace.pass(chunk.len()).await;
            if is_blob {
                shared.counted(|tally| tally.blob_bytes += chunk.len() as u64);
            }
            Ok(Frame::data(chunk))
        }
    });
    Ok(StreamBody::new(frames.boxed()).boxed_unsync())
}

fn refusal(status: StatusCode) -> Reply {
    Response::builder().status(status).body(empty())
}

fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}
