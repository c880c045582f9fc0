//! What a request asks for: its path and query, parsed into types that can't be wrong.
//!
//! Names are never made into paths of files, and what two readers could understand differently is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use shoal_protocol::{
    bounds::MAX_LIST_QUERY_BYTES,
    digest::{Digest, DigestError},
    listing::{ListQuery, ListQueryError, Listing},
    reference::{ImageName, NameError, Reference, RegistryHost},
};

use crate::metrics::RequestKind;

/// Longest path: repository and registry at their longest, the colon of each escaped, a SHA-512 digest, and some.
const MAX_PATH_BYTES: usize = 1024;
/// Longest query: a registry at its longest with every byte escaped, and some, beside the parameters of a list.
const MAX_QUERY_BYTES: usize = 1024 + MAX_LIST_QUERY_BYTES;
/// The registry that has no name of its own in Docker's world.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// Something that the mirror can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`.
    Ping,
    /// `/v2/<name>/manifests/<reference>`.
    Manifest(ImageName, Reference),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(ImageName, Digest),
    /// `/v2/<name>/tags/list` and `/v2/<name>/referrers/<digest>`.
    List(ImageName, Listing, ListQuery),
}

/// Why a path and query ask for nothing that the mirror has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RouteError {
    #[error("the {what} of the request is longer than {max} bytes")]
    TooLong { what: &'static str, max: usize },
    #[error(
        "this mirror answers /v2/ and, below /v2/<name>, manifests/<reference>, blobs/<digest>, referrers/<digest> and tags/list only"
    )]
    NoEndpoint,
    #[error("percent-encoding of a '/', '%' or NUL, or of something that is not UTF-8")]
    Encoding,
    #[error("the path names no repository")]
    NoRepository,
    #[error("{0}")]
    Name(NameError),
    #[error("{0}")]
    Reference(NameError),
    #[error("{0}")]
    Digest(DigestError),
    #[error("{0}")]
    ListQuery(ListQueryError),
    #[error("'ns' is given more than once")]
    RepeatedNamespace,
    #[error(
        "the registry is given twice, as 'ns' and at the start of the path: configure only one of the two"
    )]
    RegistryTwice,
}

impl Route {
    /// Reads the path and query of a request, as they came over the wire.
    pub(super) fn parse(path: &str, query: Option<&str>) -> Result<Self, RouteError> {
        let query = query.unwrap_or_default();
        check_length("path", path, MAX_PATH_BYTES)?;
        check_length("query", query, MAX_QUERY_BYTES)?;
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Ping),
            Some(rest) => rest.strip_prefix('/').ok_or(RouteError::NoEndpoint)?,
            None => return Err(RouteError::NoEndpoint),
        };
        let (rest, last) = rest.rsplit_once('/').ok_or(RouteError::NoEndpoint)?;
        let (name, endpoint) = rest.rsplit_once('/').unwrap_or(("", rest));
        let image = || locate(name, namespace(query)?);
        match endpoint {
            "manifests" => {
                let reference = decode(last)?.parse().map_err(RouteError::Reference);
                Ok(Self::Manifest(image()?, reference?))
            }
            "blobs" => {
                let digest = decode(last)?.parse().map_err(RouteError::Digest);
                Ok(Self::Blob(image()?, digest?))
            }
            "referrers" => {
                let subject = decode(last)?.parse().map_err(RouteError::Digest);
                Ok(Self::List(image()?, Listing::Referrers(subject?), list_query(query)?))
            }
            "tags" if last == "list" => Ok(Self::List(image()?, Listing::Tags, list_query(query)?)),
            _ => Err(RouteError::NoEndpoint),
        }
    }

    /// What kind of content it is.
    pub(super) const fn kind(&self) -> RequestKind {
        match self {
            Self::Ping => RequestKind::Ping,
            Self::Manifest(..) => RequestKind::Manifest,
            Self::Blob(..) => RequestKind::Blob,
            Self::List(_, Listing::Tags, _) => RequestKind::Tags,
            Self::List(_, Listing::Referrers(_), _) => RequestKind::Referrers,
        }
    }
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), RouteError> {
    if text.len() > max { Err(RouteError::TooLong { what, max }) } else { Ok(()) }
}

/// Decodes one segment, once. What would change the meaning of the path after a second look is refused.
fn decode(segment: &str) -> Result<Cow<'_, str>, RouteError> {
    let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| RouteError::Encoding)?;
    if decoded.contains(['/', '%', '\0']) {
        return Err(RouteError::Encoding);
    }
    Ok(decoded)
}

fn list_query(query: &str) -> Result<ListQuery, RouteError> {
    ListQuery::without_namespace(query).map_err(RouteError::ListQuery)
}

/// The registry that containerd names in the query.
fn namespace(query: &str) -> Result<Option<RegistryHost>, RouteError> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("ns="));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => registry(&decode(value)?).map(Some),
        (Some(_), Some(_)) => Err(RouteError::RepeatedNamespace),
    }
}

/// Which repository of which registry: the registry from `ns`, else from a path that starts with a host, else Docker
/// Hub, for which Docker Engine's mirrors stand.
fn locate(name: &str, namespace: Option<RegistryHost>) -> Result<ImageName, RouteError> {
    if name.is_empty() {
        return Err(RouteError::NoRepository);
    }
    let decoded = name.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let prefix = decoded.first().filter(|first| looks_like_host(first));
    let (registry, path) = match (namespace, prefix) {
        (Some(namespace), Some(prefix)) if registry(prefix).as_ref() == Ok(&namespace) => {
            return Err(RouteError::RegistryTwice);
        }
        (Some(namespace), _) => (namespace, &decoded[..]),
        (None, Some(prefix)) => (registry(prefix)?, &decoded[1..]),
        (None, None) => (registry(DOCKER_HUB)?, &decoded[..]),
    };
    if path.is_empty() {
        return Err(RouteError::NoRepository);
    }
    let repository = in_full(&registry, path.join("/"));
    Ok(ImageName { registry, repository: repository.parse().map_err(RouteError::Name)? })
}

/// Docker Hub's official images are under `library/`, however short a client writes them.
fn in_full(registry: &RegistryHost, repository: String) -> String {
    if registry.as_str() == DOCKER_HUB && !repository.contains('/') {
        return format!("library/{repository}");
    }
    repository
}

fn looks_like_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

fn registry(text: &str) -> Result<RegistryHost, RouteError> {
    let lower = text.to_ascii_lowercase();
    let name = if DOCKER_HUB_ALIASES.contains(&lower.as_str()) { DOCKER_HUB } else { &lower };
    name.parse().map_err(RouteError::Name)
}
