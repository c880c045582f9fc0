//! A registry on loopback that holds what a test puts in, notes which blobs it is asked for, and can make them wait.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use shoal_protocol::digest::{Algorithm, Digest};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// A place for every blob of a test.
const ALL: usize = 10_000;

/// What it holds: before it is served, to be filled.
#[derive(Default)]
pub(crate) struct Content {
    manifests: BTreeMap<String, (&'static str, Bytes)>,
    blobs: BTreeMap<String, Bytes>,
}

impl Content {
    /// Adds blobs of `sizes` bytes and a manifest that lists them, the first one as its config.
    pub(crate) fn image(&mut self, name: &str, sizes: &[usize]) -> Image {
        let blobs = sizes.iter().enumerate().map(|(index, size)| {
            let seed = format!("{name} {index} ");
            let content = Bytes::from(seed.bytes().cycle().take(*size).collect::<Vec<u8>>());
            let digest = Digest::of(Algorithm::Sha256, &content);
            self.blobs.insert(digest.to_string(), content);
            (digest, *size)
        });
        let blobs: Vec<_> = blobs.collect();
        let listed: Vec<Value> = blobs
            .iter()
            .map(|(digest, size)| json!({ "digest": digest.to_string(), "size": size }))
            .collect();
        let manifest = self.document(MANIFEST_TYPE, &json!({ "config": listed[0], "layers": listed[1..] }));
        Image { manifest, blobs: blobs.into_iter().map(|(digest, _)| digest).collect() }
    }

    /// Adds any document as a manifest of that type.
    pub(crate) fn document(&mut self, media_type: &'static str, document: &Value) -> Digest {
        let bytes = Bytes::from(document.to_string());
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        self.manifests.insert(digest.to_string(), (media_type, bytes));
        digest
    }
}

/// An image that the origin holds.
pub(crate) struct Image {
    pub(crate) manifest: Digest,
    pub(crate) blobs: Vec<Digest>,
}

/// The running registry. It stops when dropped.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

struct Shared {
    content: Content,
    asked: Mutex<Vec<Digest>>,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Origin {
    pub(crate) async fn serve(content: Content) -> Self {
        let shared = Shared {
            content,
            asked: Mutex::default(),
            places: Semaphore::new(ALL),
            waiting: AtomicUsize::new(0),
        };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _accept: AbortOnDropHandle::new(accept) }
    }

    /// No blob goes out until `release`.
    pub(crate) fn hold(&self) {
        self.shared.places.forget_permits(ALL);
    }

    pub(crate) fn release(&self) {
        self.shared.places.add_permits(ALL);
    }

    /// Answers that are being held.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }

    /// The blobs that were asked for, in order, each as often as it was.
    pub(crate) fn asked(&self) -> Vec<Digest> {
        self.shared.asked.lock().expect("no panic").clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let manifest = shared.content.manifests.get(name);
    let blob = shared.content.blobs.get(name).map(|bytes| ("application/octet-stream", bytes.clone()));
    if blob.is_some() && request.method() == Method::GET {
        shared.asked.lock().expect("no panic").push(name.parse().expect("a digest"));
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        drop(shared.places.acquire().await.expect("an open semaphore"));
        shared.waiting.fetch_sub(1, Ordering::SeqCst);
    }
    let answer = match manifest.cloned().or(blob) {
        Some((media_type, bytes)) => Response::builder()
            .header(header::CONTENT_TYPE, media_type)
            .header(header::CONTENT_LENGTH, bytes.len())
            .header("docker-content-digest", name)
            .body(Full::new(if request.method() == Method::HEAD { Bytes::new() } else { bytes })),
        None => Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()),
    };
    Ok(answer.expect("headers of a test"))
}
