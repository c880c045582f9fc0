//! Scripted origins.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture, stream};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use shoal_protocol::{
    chain::ChainBuilder,
    digest::{Algorithm, Digest},
    geometry::{Geometry, PieceIndex},
    reference::ImageName,
};
use shoal_seed::{
    config::{RegistryConfig, Secret},
    metrics::OriginMetrics,
    origin::Origins,
    pull::{PieceSink, PullConfig, Puller, SinkError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const REGISTRY: &str = "registry.test";

/// A request as an origin saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value of a field of a form that was posted.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let url = format!("http://form.test/?{}", String::from_utf8_lossy(&self.body));
        let url = reqwest::Url::parse(&url).expect("a form");
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The first byte of `Range: bytes=N-`.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a scripted origin answers.
pub(crate) struct Reply {
    response: Response<Body>,
    delay: Duration,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        Self { response, delay: Duration::ZERO }
    }

    pub(crate) fn bytes(body: impl Into<Bytes>) -> Self {
        let body = Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed_unsync();
        Self { response: Response::new(body), delay: Duration::ZERO }
    }

    /// All of `content` from `start` on, as 206.
    pub(crate) fn range(content: &Bytes, start: usize) -> Self {
        let last = content.len() - 1;
        Self::bytes(content.slice(start..))
            .with_status(206)
            .header("content-range", &format!("bytes {start}-{last}/{}", content.len()))
    }

    /// A body without a length.
    pub(crate) fn chunked(body: Bytes) -> Self {
        Self::stream(vec![Ok(body)])
    }

    /// Promises all of `body`, and breaks the connection after `sent` bytes of it.
    pub(crate) fn cut(body: &Bytes, sent: usize) -> Self {
        let broken = io::Error::other("scripted");
        Self::stream(vec![Ok(body.slice(..sent)), Err(broken)])
            .header("content-length", &body.len().to_string())
    }

    /// Promises all of `body`, and falls silent after `sent` bytes of it.
    pub(crate) fn stalled(body: &Bytes, sent: usize) -> Self {
        let frames = stream::iter([Ok(Frame::data(body.slice(..sent)))]).chain(stream::pending());
        let body_bytes = body.len().to_string();
        let response = Response::new(StreamBody::new(frames).boxed_unsync());
        Self { response, delay: Duration::ZERO }.header("content-length", &body_bytes)
    }

    fn stream(parts: Vec<io::Result<Bytes>>) -> Self {
        // The pause lets what was sent reach the client before the connection breaks.
        let frames = stream::iter(parts).then(|part| async {
            if part.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            part.map(Frame::data)
        });
        Self { response: Response::new(StreamBody::new(frames).boxed_unsync()), delay: Duration::ZERO }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        *self.response.status_mut() = StatusCode::from_u16(status).expect("a status");
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.response.headers_mut().insert(name, value.parse().expect("a header"));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(307).header("location", to)
    }

    pub(crate) fn manifest(document: &'static str) -> Self {
        let digest = digest(document.as_bytes()).to_string();
        Self::bytes(document).header("content-type", OCI_MANIFEST).header("docker-content-digest", &digest)
    }
}

/// An HTTP server whose every answer is scripted. Stops when dropped.
pub(crate) struct TestOrigin {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl TestOrigin {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("http", None, script).await
    }

    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen("https", Some(acceptor), script).await
    }

    async fn listen(
        scheme: &str,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("{scheme}://{}", listener.local_addr().expect("bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&seen), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, script, tls) = (Arc::clone(&log), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, log, script).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, log, script).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// How many requests had a path that contains `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path.contains(part)).count()
    }
}

impl Drop for TestOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    log: Arc<Mutex<Vec<Seen>>>,
    script: Arc<impl Fn(&Seen) -> Reply + Send + Sync + 'static>,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (log, script) = (Arc::clone(&log), Arc::clone(&script));
        async move {
            let (head, body) = request.into_parts();
            let seen = Seen {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.collect().await.expect("a whole request").to_bytes(),
            };
            log.lock().expect("not poisoned").push(seen.clone());
            let Reply { response, delay } = script(&seen);
            tokio::time::sleep(delay).await;
            Ok::<_, Infallible>(response)
        }
    });
    // A broken connection is part of many scripts.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

pub(crate) fn image() -> ImageName {
    ImageName {
        registry: REGISTRY.parse().expect("a host"),
        repository: "library/app".parse().expect("a repository"),
    }
}

pub(crate) fn digest(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// A configuration for the registry of [`image`] with these endpoints.
pub(crate) fn config(endpoints: &[&TestOrigin]) -> RegistryConfig {
    let mut config = RegistryConfig::for_host(image().registry);
    config.endpoints = endpoints.iter().map(|origin| origin.url.parse().expect("a URL")).collect();
    config
}

pub(crate) fn with_account(mut config: RegistryConfig) -> RegistryConfig {
    config.username = Some("robot".to_owned());
    config.password = Some(Secret::new("s3cret"));
    config
}

pub(crate) fn metrics() -> OriginMetrics {
    OriginMetrics::new(&prometheus::Registry::new()).expect("an empty registry")
}

pub(crate) fn origins(config: RegistryConfig) -> Origins {
    Origins::new(&[config], false, metrics()).expect("a good configuration")
}

/// A puller that waits milliseconds where a real one waits seconds.
pub(crate) fn puller(config: RegistryConfig) -> Puller {
    let pull = PullConfig { first_delay_ms: 1, max_delay_ms: 5, ..PullConfig::default() };
    Puller::new(Arc::new(origins(config)), pull, std::env::temp_dir())
}

/// Bytes that don't repeat at any piece length.
pub(crate) fn content(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// Keeps what a pull gives it.
#[derive(Default)]
pub(crate) struct Collector {
    pub(crate) starts: Mutex<Vec<Geometry>>,
    pieces: Mutex<BTreeMap<PieceIndex, Bytes>>,
}

impl Collector {
    pub(crate) fn blob(&self) -> Vec<u8> {
        self.pieces.lock().expect("not poisoned").values().flatten().copied().collect()
    }

    pub(crate) fn piece_count(&self) -> usize {
        self.pieces.lock().expect("not poisoned").len()
    }

    pub(crate) fn start_count(&self) -> usize {
        self.starts.lock().expect("not poisoned").len()
    }
}

impl PieceSink for Collector {
    fn started(&self, geometry: Geometry) -> BoxFuture<'_, Result<(), SinkError>> {
        self.starts.lock().expect("not poisoned").push(geometry);
        self.pieces.lock().expect("not poisoned").clear();
        Box::pin(async { Ok(()) })
    }

    fn pieces<'a>(
        &'a self,
        first: PieceIndex,
        pieces: Vec<Bytes>,
        chain: &'a ChainBuilder,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        let end = first + u32::try_from(pieces.len()).expect("few");
        assert_eq!(chain.next_piece(), end, "the chain covers what it comes with");
        self.pieces.lock().expect("not poisoned").extend((first..).zip(pieces));
        Box::pin(async { Ok(()) })
    }
}

/// A `WWW-Authenticate` that names a token service at `origin`.
pub(crate) fn bearer_challenge(origin: &str) -> Reply {
    let challenge = format!(r#"Bearer realm="{origin}/token",service="registry.test""#);
    Reply::status(401).header("www-authenticate", &challenge)
}
