//! A registry that serves files by digest and counts what it is asked for. It paces nothing: links do that.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, response::Builder};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use shoal_protocol::digest::Digest;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};

use super::Blob;

const CHUNK_BYTES: usize = 256 * 1024;
/// More than any measurement opens; one more is closed at once.
const MAX_CONNECTIONS: usize = 4096;

/// The running registry. It stops when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

/// What the registry was asked for so far, HEADs apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// GETs of blobs and manifests, ranges included.
    pub gets: u64,
    /// Bytes of them that were handed to the kernel.
    pub sent_bytes: u64,
}

#[derive(Debug, Default)]
struct Shared {
    blobs: Mutex<BTreeMap<Digest, Blob>>,
    tally: Mutex<Tally>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Reply = Result<Response<Body>, http::Error>;

impl Origin {
    /// Serves nothing yet.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn serve(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _accept: AbortOnDropHandle::new(accept) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this too, as blob and as manifest, in every repository.
    pub fn add(&self, blob: Blob) {
        locked(&self.shared.blobs).insert(blob.digest, blob);
    }

    /// What it was asked for so far.
    pub fn tally(&self) -> Tally {
        *locked(&self.shared.tally)
    }
}

impl Tally {
    /// What came on top of `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { gets: self.gets - earlier.gets, sent_bytes: self.sent_bytes - earlier.sent_bytes }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections live in this task's set, so that they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                if connections.len() >= MAX_CONNECTIONS {
                    continue;
                }
                // Answers to small requests would wait for acknowledgements otherwise.
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    let reply = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        refusal(StatusCode::METHOD_NOT_ALLOWED)
    } else if matches!(path, "/v2" | "/v2/") {
        Response::builder().body(empty())
    } else {
        match find(&shared, path) {
            Some(blob) => send(&shared, &request, &blob).await,
            None => refusal(StatusCode::NOT_FOUND),
        }
    };
    // Every header is well formed, so this can't happen; an empty 200 would be a refused digest all the same.
    Ok(reply.unwrap_or_else(|_| Response::new(empty())))
}

fn find(shared: &Shared, path: &str) -> Option<Blob> {
    let (rest, digest) = path.rsplit_once('/')?;
    let is_content = rest.ends_with("/blobs") || rest.ends_with("/manifests");
    let digest = digest.parse().ok().filter(|_| is_content)?;
    locked(&shared.blobs).get(&digest).cloned()
}

async fn send(shared: &Arc<Shared>, request: &Request<Incoming>, blob: &Blob) -> Reply {
    let Some(range) = range_of(request, blob.len_bytes) else {
        return refusal(StatusCode::RANGE_NOT_SATISFIABLE);
    };
    let head = head(blob, &range);
    if request.method() == Method::HEAD {
        return head.body(empty());
    }
    locked(&shared.tally).gets += 1;
    match contents(shared, blob, range).await {
        Ok(body) => head.body(body),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn head(blob: &Blob, range: &Range<u64>) -> Builder {
    let head = Response::builder()
        .header(header::CONTENT_TYPE, blob.media_type)
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header("Docker-Content-Digest", blob.digest.to_string());
    if *range == (0..blob.len_bytes) {
        return head;
    }
    let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, blob.len_bytes);
    head.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content_range)
}

/// The bytes asked for: all without a Range; `None` when the Range lies outside.
fn range_of(request: &Request<Incoming>, len_bytes: u64) -> Option<Range<u64>> {
    let text = request.headers().get(header::RANGE).map(HeaderValue::to_str);
    let Some(Ok(text)) = text else {
        return Some(0..len_bytes);
    };
    let (start, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = start.parse().ok()?;
    let end = match last {
        "" => len_bytes,
        last => last.parse::<u64>().ok()?.checked_add(1)?.min(len_bytes),
    };
    (start < end).then_some(start..end)
}

async fn contents(shared: &Arc<Shared>, blob: &Blob, range: Range<u64>) -> io::Result<Body> {
    let mut file = File::open(&blob.path).await?;
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let shared = Arc::clone(shared);
    let chunks = ReaderStream::with_capacity(file.take(range.end - range.start), CHUNK_BYTES);
    let frames = chunks.map_ok(move |chunk: Bytes| {
        locked(&shared.tally).sent_bytes += chunk.len() as u64;
        Frame::data(chunk)
    });
    Ok(StreamBody::new(frames.boxed()).boxed_unsync())
}

fn refusal(status: StatusCode) -> Reply {
    Response::builder().status(status).body(empty())
}

fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}
