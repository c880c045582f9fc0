//! A registry that serves files and counts what it is asked for, for the demo and for measurements.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use super::pace::Pace;

/// How much is read from disk at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// More than any demo or measurement opens; one more is closed at once.
const MAX_CONNECTIONS: usize = 4096;

/// The running registry. It stops when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

/// A manifest or a blob in a file.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub len_bytes: u64,
    /// What it is.
    pub media_type: &'static str,
    /// The file.
    pub path: PathBuf,
}

/// What the registry was asked for so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// GETs of each blob, ranges included.
    pub gets_by_blob: BTreeMap<Digest, u64>,
    /// Requests for manifests, HEADs included.
    pub manifest_requests: u64,
    /// Bytes of blobs that were handed to the kernel.
    pub blob_bytes: u64,
}

#[derive(Debug)]
struct Shared {
    parts: Mutex<Parts>,
    tally: Mutex<Tally>,
    pace: Pace,
}

#[derive(Debug, Default)]
struct Parts {
    by_digest: BTreeMap<Digest, Part>,
    tags: BTreeMap<String, Digest>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Reply = Result<Response<Body>, http::Error>;

impl Origin {
    /// Serves nothing yet, and later at most `rate_bytes_per_s` in all.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn serve(listen: SocketAddr, rate_bytes_per_s: Option<u64>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let pace = Pace::new(rate_bytes_per_s);
        let shared = Arc::new(Shared { parts: Mutex::default(), tally: Mutex::default(), pace });
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _accept: AbortOnDropHandle::new(accept) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this too, as blob and as manifest, in every repository.
    pub fn add(&self, part: Part) {
        locked(&self.shared.parts).by_digest.insert(part.digest, part);
    }

    /// Lets a tag stand for a manifest, in every repository.
    pub fn tag(&self, tag: &str, manifest: Digest) {
        locked(&self.shared.parts).tags.insert(tag.into(), manifest);
    }

    /// What it was asked for so far.
    pub fn tally(&self) -> Tally {
        locked(&self.shared.tally).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        let found = find(&locked(&shared.parts), path);
        match found {
            Found::Nothing => refusal(StatusCode::NOT_FOUND),
            Found::Manifest(part) => {
                locked(&shared.tally).manifest_requests += 1;
                send(&shared, &request, &part, false).await
            }
            Found::Blob(part) => send(&shared, &request, &part, true).await,
        }
    };
    // Every header is well formed, so this can't happen; an empty 200 would be a refused digest all the same.
    Ok(reply.unwrap_or_else(|_| Response::new(empty())))
}

enum Found {
    Manifest(Part),
    Blob(Part),
    Nothing,
}

fn find(parts: &Parts, path: &str) -> Found {
    let by_digest = |name: &str| parts.by_digest.get(&name.parse().ok()?).cloned();
    let by_tag = |name: &str| parts.by_digest.get(parts.tags.get(name)?).cloned();
    let Some((place, name)) = path.strip_prefix("/v2/").and_then(|item| item.rsplit_once('/')) else {
        return Found::Nothing;
    };
    if place.ends_with("/manifests") {
        by_tag(name).or_else(|| by_digest(name)).map_or(Found::Nothing, Found::Manifest)
    } else if place.ends_with("/blobs") {
        by_digest(name).map_or(Found::Nothing, Found::Blob)
    } else {
        Found::Nothing
    }
}

async fn send(shared: &Arc<Shared>, request: &Request<Incoming>, part: &Part, is_blob: bool) -> Reply {
    let Some(range) = range_of(request, part.len_bytes) else {
        return refusal(StatusCode::RANGE_NOT_SATISFIABLE);
    };
    let head = head(part, &range);
    if request.method() == Method::HEAD {
        return head.body(empty());
    }
    if is_blob {
        *locked(&shared.tally).gets_by_blob.entry(part.digest).or_default() += 1;
    }
    match contents(shared, part, range, is_blob).await {
        Ok(body) => head.body(body),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn head(part: &Part, range: &Range<u64>) -> Builder {
    let len_bytes = part.len_bytes;
    let head = Response::builder()
        .header(header::CONTENT_TYPE, part.media_type)
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header("Docker-Content-Digest", part.digest.to_string());
    if *range == (0..len_bytes) {
        return head;
    }
    let content_range = format!("bytes {}-{}/{len_bytes}", range.start, range.end - 1);
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

async fn contents(shared: &Arc<Shared>, part: &Part, range: Range<u64>, is_blob: bool) -> io::Result<Body> {
    let mut file = File::open(&part.path).await?;
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let shared = Arc::clone(shared);
    let chunks = ReaderStream::with_capacity(file.take(range.end - range.start), CHUNK_BYTES);
    let frames = chunks.and_then(move |chunk: Bytes| {
        let shared = Arc::clone(&shared);
        async move {
            shared.pace.pass(chunk.len()).await;
            if is_blob {
                locked(&shared.tally).blob_bytes += chunk.len() as u64;
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
