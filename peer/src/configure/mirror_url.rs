//! Where runtimes find the mirror.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// The URL of this node's mirror: `http` or `https`, a host and perhaps a port; no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorUrl {
    scheme: &'static str,
    authority: String,
}

/// Why a text is not the URL of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the URL of a mirror; write http://HOST:PORT, such as http://127.0.0.1:5020")]
pub struct NotAMirrorUrl(String);

impl MirrorUrl {
    /// The host, with its port if the URL has one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether bytes travel without TLS.
    pub fn is_plain_http(&self) -> bool {
        self.scheme == "http"
    }
}

impl FromStr for MirrorUrl {
    type Err = NotAMirrorUrl;

    fn from_str(text: &str) -> Result<Self, NotAMirrorUrl> {
        let wrong = || NotAMirrorUrl(text.to_owned());
        let url = Url::parse(text).map_err(|_| wrong())?;
        let scheme = match url.scheme() {
            "http" => "http",
            "https" => "https",
            _ => return Err(wrong()),
        };
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|_| is_bare).ok_or_else(wrong)?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for MirrorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}
