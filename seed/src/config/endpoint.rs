//! Where a registry is reached.

use std::{fmt, str::FromStr};

use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shoal_protocol::reference::Repository;

use super::parsed;

/// The base URL of a registry: `http` or `https`, a host, perhaps a port and a path.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is not an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("not a URL ({0}); an endpoint is written https://host[:port][/path]")]
    NotAUrl(String),
    /// Neither `https` nor `http`.
    #[error("an endpoint starts with https:// (or http://, where plain HTTP is meant), not {0}://")]
    Scheme(String),
    /// A user, a password, a query or a fragment.
    #[error("an endpoint has no {0}; credentials go into username and password_file, or docker_config")]
    Unexpected(&'static str),
}

impl Endpoint {
    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// `host` or `host:port`, as logins for it are listed; without the port that goes without saying.
    pub(crate) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// A URL that a registry answers whatever it has.
    pub(crate) fn ping_url(&self) -> Url {
        self.below("/")
    }

    /// The URL of `item` (`manifests/latest`) of a repository.
    pub(crate) fn url(&self, repository: &Repository, item: &str) -> Url {
        self.below(&format!("/{repository}/{item}"))
    }

    /// An endpoint's path stands before `/v2`, unless it begins with that itself: then it is all that repositories
    /// follow, as for a project of Harbor's that stands for another registry (`/v2/hub-proxy`).
    fn below(&self, path: &str) -> Url {
        let own = self.0.path().trim_end_matches('/');
        let has_version = own == "/v2" || own.starts_with("/v2/");
        let version = if has_version { "" } else { "/v2" };
        let mut url = self.0.clone();
        url.set_path(&format!("{own}{version}{path}"));
        url
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|error| EndpointError::NotAUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Unexpected("user or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Unexpected("query or fragment"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
