//! A registry on loopback that holds what a test puts in, with the referrers API and pages of one entry, and notes what
//! it is asked.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
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

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A place for every blob of a test.
const ALL: usize = 10_000;
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What it holds of its one repository, `app`: before it is served, to be filled.
#[derive(Default)]
pub(crate) struct Content {
    /// By digest and by tag.
    manifests: BTreeMap<String, Bytes>,
    blobs: BTreeMap<String, Bytes>,
}

impl Content {
    /// Adds a blob, and tells the descriptor of it.
    pub(crate) fn blob(&mut self, media_type: &str, content: &[u8]) -> Value {
        let digest = Digest::of(Algorithm::Sha256, content).to_string();
        self.blobs.insert(digest.clone(), Bytes::copy_from_slice(content));
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// Adds a manifest, and tells its descriptor.
    pub(crate) fn manifest(&mut self, document: &Value) -> Value {
        let bytes = Bytes::from(document.to_string());
        let digest = Digest::of(Algorithm::Sha256, &bytes).to_string();
        self.manifests.insert(digest.clone(), bytes.clone());
        json!({ "mediaType": document["mediaType"], "digest": digest, "size": bytes.len() })
    }

    pub(crate) fn tag(&mut self, tag: &str, manifest: &Value) {
        let bytes = self.manifests[manifest["digest"].as_str().expect("a digest")].clone();
        self.manifests.insert(tag.to_owned(), bytes);
    }
}

/// The running registry. It stops when dropped.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

struct Shared {
    content: Content,
    asked: Mutex<Vec<String>>,
    is_down: AtomicBool,
    /// One for each blob that may be on its way.
    places: Semaphore,
}

impl Origin {
    pub(crate) async fn serve(content: Content) -> Self {
        let shared = Arc::new(Shared {
            content,
            asked: Mutex::default(),
            is_down: AtomicBool::new(false),
            places: Semaphore::new(ALL),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _accept: AbortOnDropHandle::new(accept) }
    }

    /// From now on every answer is 503, or no longer.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
    }

    /// No blob goes out until `release`.
    pub(crate) fn hold(&self) {
        self.shared.places.forget_permits(ALL);
    }

    pub(crate) fn release(&self) {
        self.shared.places.add_permits(ALL);
    }

    /// How many requests had a path and query that contain `part`.
    pub(crate) fn asked(&self, part: &str) -> usize {
        self.shared.asked.lock().expect("no panic").iter().filter(|asked| asked.contains(part)).count()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            async move {
                let answer = shared.answer(&request);
                if request.method() == Method::GET && request.uri().path().contains("/blobs/") {
                    drop(shared.places.acquire().await.expect("an open semaphore"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Shared {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.asked.lock().expect("no panic").push(format!("{} {}", request.method(), request.uri()));
        if self.is_down.load(Ordering::SeqCst) {
            return reply(StatusCode::SERVICE_UNAVAILABLE, "text/plain", Bytes::new());
        }
        let path = request.uri().path().strip_prefix("/v2/app/").unwrap_or_default();
        let query = parameters(request.uri().query().unwrap_or_default());
        let answer = match path.split_once('/') {
            Some(("tags", "list")) => self.tags(&query),
            Some(("referrers", subject)) => self.referrers(subject, &query),
            Some(("manifests", name)) => self.content.manifests.get(name).map(|bytes| {
                let document: Value = serde_json::from_slice(bytes).expect("JSON");
                let media_type = document["mediaType"].as_str().expect("a type").to_owned();
                let mut answer = reply(StatusCode::OK, &media_type, bytes.clone());
                let digest = Digest::of(Algorithm::Sha256, bytes).to_string();
                answer.headers_mut().insert("docker-content-digest", digest.parse().expect("a header"));
                answer
            }),
            Some(("blobs", digest)) => {
                let blob = self.content.blobs.get(digest);
                blob.map(|bytes| reply(StatusCode::OK, "application/octet-stream", bytes.clone()))
            }
            _ => None,
        };
        let mut answer =
            answer.unwrap_or_else(|| reply(StatusCode::NOT_FOUND, "application/json", "{}".into()));
        if request.method() == Method::HEAD {
            *answer.body_mut() = Full::default();
        }
        answer
    }

    fn tags(&self, query: &BTreeMap<String, String>) -> Option<Response<Full<Bytes>>> {
        let tags = self.content.manifests.keys().filter(|name| !name.contains(':'));
        let last = query.get("last").cloned().unwrap_or_default();
        let rest: Vec<_> = tags.filter(|tag| **tag > last).collect();
        let most = query.get("n").map_or(rest.len(), |most| most.parse().expect("a number"));
        let page = &rest[..most.min(rest.len())];
        let document = json!({ "name": "app", "tags": page });
        let mut answer = reply(StatusCode::OK, "application/json", document.to_string().into());
        if let (true, Some(last)) = (page.len() < rest.len(), page.last()) {
            let next = format!("</v2/app/tags/list?last={last}&n={most}>; rel=\"next\"");
            answer.headers_mut().insert(header::LINK, next.parse().expect("a header"));
        }
        Some(answer)
    }

    /// A page has one referrer.
    fn referrers(&self, subject: &str, query: &BTreeMap<String, String>) -> Option<Response<Full<Bytes>>> {
        let by_digest = self.content.manifests.iter().filter(|(name, _)| name.contains(':'));
        let documents = by_digest.map(|(digest, bytes)| {
            let document: Value = serde_json::from_slice(bytes).expect("JSON");
            let entry = json!({ "mediaType": document["mediaType"], "digest": digest, "size": bytes.len(),
                "artifactType": document["artifactType"], "annotations": document["annotations"] });
            (document, entry)
        });
        let filter = query.get("artifactType");
        let entries: Vec<Value> = documents
            .filter(|(document, _)| document["subject"]["digest"] == subject)
            .filter(|(document, _)| filter.is_none_or(|filter| document["artifactType"] == filter.as_str()))
            .map(|(_, entry)| entry)
            .collect();
        let start = query.get("start").map_or(0, |start| start.parse().expect("a number"));
        let page: Vec<_> = entries.iter().skip(start).take(1).collect();
        let document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page });
        let mut answer = reply(StatusCode::OK, INDEX, document.to_string().into());
        if filter.is_some() {
            answer.headers_mut().insert("oci-filters-applied", "artifactType".parse().expect("a header"));
        }
        if start + 1 < entries.len() {
            let next = format!(
                "<http://registry.behind.a.proxy/v2/app/referrers/{subject}?start={}>; rel=next",
                start + 1
            );
            answer.headers_mut().insert(header::LINK, next.parse().expect("a header"));
        }
        Some(answer)
    }
}

fn reply(status: StatusCode, media_type: &str, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))
        .expect("headers of a test")
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
