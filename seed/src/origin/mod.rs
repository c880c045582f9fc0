//! The registry client: what origins have, checked.
//!
//! Everything asked for by digest is hashed here (manifests) or goes out beside a chain (blobs, see [`crate::pull`]).
//! Credentials stay with the endpoints of the registry they belong to. Every wait has an end and every size a bound.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE},
};
use rustls::RootCertStore;
use shoal_protocol::{
    bounds::MAX_MANIFEST_BYTES,
    digest::{Algorithm, Digest},
    reference::{ImageName, RegistryHost, Tag},
};

use crate::{
    config::RegistryConfig,
    metrics::{Kind, OriginMetrics},
};

mod artifacts;
mod ask;
mod auth;
mod blob;
mod body;
mod challenge;
mod client;
mod credentials;
mod endpoints;
mod error;
mod examine;
mod health;
mod link;
mod listing;
mod media_type;
mod pace;
mod permission;
mod quiet;
mod redirect;
mod registry;
mod reply;
mod tls;
mod token;

pub(crate) use blob::MAX_BLOB_BYTES;
pub use blob::{BlobRange, OriginBlob};
pub use credentials::CredentialsError;
pub use error::{OriginError, PublicUrl, Trouble};
pub use examine::{Examined, Met, Obstacle, examine};
pub use listing::ListPage;
pub use permission::{ClientCredentials, Verdict};
pub use registry::RegistryError;
pub use tls::TlsError;

use ask::{Answer, Ask};
use credentials::Source;
use registry::Registry;

/// Most registries outside the configuration that are remembered at a time.
const MAX_UNLISTED: usize = 64;
/// What metrics call registries outside the configuration: their names come from clients, and have no bound.
const UNLISTED_LABEL: &str = "unlisted";

/// What a tag stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Media type of the manifest.
    pub media_type: String,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Length of the manifest.
    pub size_bytes: u64,
}

/// A manifest or an index, its digest verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Media type, as the origin gave it.
    pub media_type: String,
    /// Digest of `bytes`.
    pub digest: Digest,
    /// The document, byte for byte.
    pub bytes: Bytes,
}

/// Why the configured registries can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginsError {
    /// One registry's settings.
    #[error("registry {host}: {source}")]
    Registry {
        /// The registry.
        host: RegistryHost,
        /// What is wrong.
        source: Box<RegistryError>,
    },
    /// Two sections for one registry.
    #[error("registry {0} is configured twice; merge the two sections")]
    Twice(RegistryHost),
}

/// Every registry that this seed may ask.
pub struct Origins {
    listed: HashMap<String, Arc<Registry>>,
    unlisted: Option<Mutex<HashMap<String, Arc<Registry>>>>,
    system_roots: RootCertStore,
    metrics: OriginMetrics,
}

impl Origins {
    /// Sets up the registries of the configuration. With `allow_unlisted`, others are asked too, anonymously and
    /// over HTTPS; without, clients can't make a seed dial hosts of their choice.
    ///
    /// # Errors
    /// When a registry's settings contradict each other, or its files can't be read.
    pub fn new(
        configs: &[RegistryConfig],
        allow_unlisted: bool,
        metrics: OriginMetrics,
    ) -> Result<Self, OriginsError> {
        let system_roots = tls::system_roots();
        let mut listed = HashMap::new();
        for config in configs {
            let label = key(&config.host);
            let registry = Source::from_config(config)
                .map_err(RegistryError::from)
                .and_then(|logins| {
                    Registry::new(config, label.clone(), logins, system_roots.clone(), metrics.clone())
                })
                .map_err(|source| OriginsError::Registry {
                    host: config.host.clone(),
                    source: Box::new(source),
                })?;
            if listed.insert(label, Arc::new(registry)).is_some() {
                return Err(OriginsError::Twice(config.host.clone()));
            }
        }
        Ok(Self { listed, unlisted: allow_unlisted.then(Mutex::default), system_roots, metrics })
    }

    /// What `tag` stands for now.
    ///
    /// # Errors
    /// When the origin can't be asked, or does not have it, or answers nonsense.
    pub async fn resolve(&self, image: &ImageName, tag: &Tag) -> Result<Descriptor, OriginError> {
        let registry = self.registry(&image.registry)?;
        let item = format!("manifests/{tag}");
        let head = registry.ask(&manifest_ask(Kind::Resolve, Method::HEAD, image, &item)).await?;
        if let Some(descriptor) = read_head(head, manifest_head)? {
            return Ok(descriptor);
        }
        // Docker Hub counts GETs of manifests but not HEADs: this is only for registries whose HEAD says too little.
        let answer =
            registry.ask(&manifest_ask(Kind::Resolve, Method::GET, image, &item)).await?.success()?;
        let stated = stated_digest(answer.response.headers());
        let manifest = self.read_manifest(&registry, answer, stated).await?;
        let size_bytes = manifest.bytes.len() as u64;
        Ok(Descriptor { media_type: manifest.media_type, digest: manifest.digest, size_bytes })
    }

    /// The manifest of that digest.
    ///
    /// # Errors
    /// When the origin can't be asked, does not have it, or sends another.
    pub async fn manifest(&self, image: &ImageName, digest: &Digest) -> Result<Manifest, OriginError> {
        let registry = self.registry(&image.registry)?;
        let item = format!("manifests/{digest}");
        let ask = manifest_ask(Kind::Manifest, Method::GET, image, &item);
        let answer = registry.ask(&ask).await?.success()?;
        let endpoint = answer.endpoint;
        match self.read_manifest(&registry, answer, Some(*digest)).await {
            Err(OriginError::Corrupt(_)) if registry.endpoint_count() > 1 => {
                let answer = registry.ask(&Ask { avoid: Some(endpoint), ..ask }).await?.success()?;
                self.read_manifest(&registry, answer, Some(*digest)).await
            }
            read => read,
        }
    }

    async fn read_manifest(
        &self,
        registry: &Registry,
        answer: Answer,
        expected: Option<Digest>,
    ) -> Result<Manifest, OriginError> {
        let Answer { response, url, permit: _permit, .. } = answer;
        let headers = response.headers().clone();
        let bytes = body::read_bounded(response, &url, MAX_MANIFEST_BYTES).await?;
        self.metrics.bytes_of(&registry.label).inc_by(bytes.len() as u64);
        let algorithm = expected.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let digest = Digest::of(algorithm, &bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            self.metrics.corrupt(&registry.label);
            return Err(OriginError::corrupt(&url, format!("sent {digest} where {expected} was due")));
        }
        let media_type = media_type::of_document(&headers, &bytes)
            .map_err(|error| OriginError::refused(&url, error.to_string()))?;
        Ok(Manifest { media_type, digest, bytes })
    }

    fn registry(&self, host: &RegistryHost) -> Result<Arc<Registry>, OriginError> {
        let key = key(host);
        if let Some(registry) = self.listed.get(&key) {
            return Ok(Arc::clone(registry));
        }
        let unlisted = || OriginError::Unlisted { registry: host.to_string() };
        let mut known =
            self.unlisted.as_ref().ok_or_else(unlisted)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = known.get(&key) {
            return Ok(Arc::clone(registry));
        }
        let config = RegistryConfig::for_host(host.clone());
        let registry = Registry::new(
            &config,
            UNLISTED_LABEL.to_owned(),
            Source::nobody(host.clone()),
            self.system_roots.clone(),
            self.metrics.clone(),
        );
        let registry = Arc::new(registry.map_err(|error| {
            tracing::warn!(%host, %error, "registry can't be asked");
            unlisted()
        })?);
        if known.len() >= MAX_UNLISTED {
            known.clear();
        }
        known.insert(key, Arc::clone(&registry));
        Ok(registry)
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins").field("listed", &self.listed.keys()).finish_non_exhaustive()
    }
}

/// Host names don't tell upper from lower case; and Docker's old name is still written here and there.
fn key(host: &RegistryHost) -> String {
    match host.as_str().to_ascii_lowercase() {
        host if host == "index.docker.io" || host == "registry-1.docker.io" => "docker.io".to_owned(),
        host => host,
    }
}

fn manifest_ask<'a>(kind: Kind, method: Method, image: &'a ImageName, item: &str) -> Ask<'a> {
    let (repository, item, accept) = (&image.repository, item.to_owned(), Some(media_type::ACCEPT));
    Ask { kind, method, repository, item, query: "", accept, range: None, avoid: None }
}

/// What `read` finds in a HEAD's answer; `None` when only a GET can tell.
fn read_head<T>(answer: Answer, read: impl Fn(&HeaderMap) -> Option<T>) -> Result<Option<T>, OriginError> {
    if head_is_unsupported(&answer) {
        return Ok(None);
    }
    Ok(read(answer.success()?.response.headers()))
}

/// Some registries know no HEAD, and a redirect's target may be signed for GET only.
fn head_is_unsupported(answer: &Answer) -> bool {
    match answer.response.status() {
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
        status => answer.was_redirected && status == StatusCode::FORBIDDEN,
    }
}

fn manifest_head(headers: &HeaderMap) -> Option<Descriptor> {
    let size_bytes = content_length(headers).filter(|size| (1..=MAX_MANIFEST_BYTES as u64).contains(size))?;
    Some(Descriptor {
        media_type: media_type::of_head(headers)?,
        digest: stated_digest(headers)?,
        size_bytes,
    })
}

fn stated_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.trim().parse().ok()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The start and the whole length in a `Content-Range` (`bytes 5-9/10`).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, total.trim().parse().ok()))
}
