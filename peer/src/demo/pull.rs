//! A pull through a mirror, in the steps that containerd takes: HEAD by tag, manifests by digest, then the config and
//! the layers, three at a time, each checked against its digest.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use sha2::Digest as _;
use shoal_protocol::{
    bounds::MAX_MANIFEST_BYTES,
    digest::{Algorithm, Digest},
    reference::{ImageName, Reference},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::manifest::{Descriptor, Document};

/// How many blobs are fetched at a time, as containerd does.
const PARALLEL_BLOBS: usize = 3;
/// Longest wait for the head of an answer, as containerd's.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest silence within a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What containerd accepts when it asks what a tag stands for.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.oci.image.index.v1+json, */*";

/// Is told how a pull goes.
pub(super) trait Watch: Send + Sync {
    /// The whole length is known.
    fn total(&self, bytes: u64);
    /// So many bytes more have come.
    fn advanced(&self, bytes: u64);
}

/// What was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pulled {
    /// Digest that the reference stands for.
    pub(super) digest: Digest,
    /// The config and the layers.
    pub(super) blobs: Vec<Digest>,
    /// Length of them all.
    pub(super) size_bytes: u64,
}

/// Why a pull failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    /// The mirror is not there.
    #[error("can't connect to the mirror at {mirror}: {source}")]
    Connect {
        /// Its address.
        mirror: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The connection broke, or the answer was not HTTP.
    #[error("{path}: the mirror's answer broke off: {source}")]
    Broken {
        /// What was asked for.
        path: String,
        /// hyper's reason.
        source: hyper::Error,
    },
    /// Nothing came for too long.
    #[error("{path}: no answer for {} s", after.as_secs())]
    Silent {
        /// What was asked for.
        path: String,
        /// For how long.
        after: Duration,
    },
    /// Another status than 200.
    #[error("{path}: the mirror answered {status}")]
    Status {
        /// What was asked for.
        path: String,
        /// Its answer.
        status: StatusCode,
    },
    /// What came is not what was asked for.
    #[error("{path}: {reason}")]
    Wrong {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Pulls `image` by `reference` through the mirror at `mirror`; the bytes are checked and then let go.
pub(super) async fn pull(
    mirror: SocketAddr,
    image: &ImageName,
    reference: &Reference,
    watch: &dyn Watch,
) -> Result<Pulled, PullError> {
    let puller = Puller { mirror, image };
    let digest = puller.resolve(reference).await?;
    let descriptors = puller.descriptors(digest).await?;
    let size_bytes = descriptors.iter().map(|descriptor| descriptor.size_bytes).sum();
    watch.total(size_bytes);
    let fetches: Vec<_> = descriptors.iter().map(|descriptor| puller.blob(descriptor, watch)).collect();
    stream::iter(fetches).buffer_unordered(PARALLEL_BLOBS).try_collect::<()>().await?;
    Ok(Pulled { digest, blobs: descriptors.iter().map(|descriptor| descriptor.digest).collect(), size_bytes })
}

struct Puller<'a> {
    mirror: SocketAddr,
    image: &'a ImageName,
}

impl Puller<'_> {
    async fn resolve(&self, reference: &Reference) -> Result<Digest, PullError> {
        let tag = match reference {
            Reference::Digest(digest) => return Ok(*digest),
            Reference::Tag(tag) => tag,
        };
        let path = self.path("manifests", tag);
        let answer = self.ask(Method::HEAD, &path, ACCEPT).await?;
        let digest = header_text(answer.head.headers(), "docker-content-digest");
        let digest = digest.and_then(|text| text.parse().ok());
        digest.ok_or_else(|| PullError::Wrong { path, reason: "HEAD gave no Docker-Content-Digest".into() })
    }

    /// Follows an index to this machine's platform, and gives what the manifest there lists.
    async fn descriptors(&self, root: Digest) -> Result<Vec<Descriptor>, PullError> {
        let wrong = |reason| PullError::Wrong { path: self.path("manifests", root), reason };
        let document = self.document(&root).await?;
        let manifest = match document {
            Document::Manifest(descriptors) => return Ok(descriptors),
            Document::Index(digest) => digest,
        };
        match self.document(&manifest).await? {
            Document::Manifest(descriptors) => Ok(descriptors),
            Document::Index(_) => Err(wrong("the index lists another index for this platform".into())),
        }
    }

    async fn document(&self, digest: &Digest) -> Result<Document, PullError> {
        let path = self.path("manifests", digest);
        let mut answer = self.ask(Method::GET, &path, ACCEPT).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk(&path).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_MANIFEST_BYTES {
                return Err(PullError::Wrong { path, reason: "the manifest is too long".into() });
            }
        }
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(PullError::Wrong { path, reason: "the manifest has another digest".into() });
        }
        Document::parse(&bytes).map_err(|reason| PullError::Wrong { path, reason })
    }

    async fn blob(&self, descriptor: &Descriptor, watch: &dyn Watch) -> Result<(), PullError> {
        let path = self.path("blobs", descriptor.digest);
        let mut answer = self.ask(Method::GET, &path, "*/*").await?;
        let mut hash = Hash::new(descriptor.digest.algorithm());
        let mut size_bytes = 0;
        while let Some(chunk) = answer.chunk(&path).await? {
            hash.update(&chunk);
            size_bytes += chunk.len() as u64;
            watch.advanced(chunk.len() as u64);
        }
        if size_bytes != descriptor.size_bytes {
            let reason = format!("{size_bytes} bytes came, the manifest says {}", descriptor.size_bytes);
            return Err(PullError::Wrong { path, reason });
        }
        if hash.finish() != descriptor.digest {
            return Err(PullError::Wrong { path, reason: "the bytes have another digest".into() });
        }
        Ok(())
    }

    fn path(&self, kind: &str, name: impl std::fmt::Display) -> String {
        format!(
            "/v2/{}/{kind}/{name}?ns={}",
            self.image.repository,
            percent_encoded(self.image.registry.as_str())
        )
    }

    async fn ask(&self, method: Method, path: &str, accept: &'static str) -> Result<Answer, PullError> {
        let mirror = self.mirror;
        let broken = |source| PullError::Broken { path: path.into(), source };
        let stream =
            TcpStream::connect(mirror).await.map_err(|source| PullError::Connect { mirror, source })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // What breaks the connection breaks the answer too, where it is reported.
            let _ = connection.await;
        }));
        let head = sender.send_request(request(mirror, method, path, accept)?);
        let silent = |_| PullError::Silent { path: path.into(), after: HEAD_TIMEOUT };
        let head = timeout(HEAD_TIMEOUT, head).await.map_err(silent)?.map_err(broken)?;
        match head.status() {
            StatusCode::OK => Ok(Answer { head, _connection: connection }),
            status => Err(PullError::Status { path: path.into(), status }),
        }
    }
}

fn request(
    mirror: SocketAddr,
    method: Method,
    path: &str,
    accept: &'static str,
) -> Result<Request<Empty<Bytes>>, PullError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, mirror.to_string())
        .header(header::ACCEPT, HeaderValue::from_static(accept))
        .body(Empty::new())
        .map_err(|error| PullError::Wrong { path: path.into(), reason: error.to_string() })
}

/// An answer, and the connection that its body comes over.
struct Answer {
    head: Response<Incoming>,
    _connection: AbortOnDropHandle<()>,
}

impl Answer {
    async fn chunk(&mut self, path: &str) -> Result<Option<Bytes>, PullError> {
        loop {
            let silent = |_| PullError::Silent { path: path.into(), after: IDLE_TIMEOUT };
            let frame = timeout(IDLE_TIMEOUT, self.head.body_mut().frame()).await.map_err(silent)?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| PullError::Broken { path: path.into(), source })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

/// A hash of whichever algorithm the digest names.
enum Hash {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hash {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::Sha256(hash.finalize().into()),
            Self::Sha512(hash) => Digest::Sha512(hash.finalize().into()),
        }
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A port in `ns` arrives percent-encoded from containerd.
fn percent_encoded(host: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(host, KEPT)
}
const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-');
