//! What went wrong with an origin: for which URL, what it answered, and what Shoal does next.

use std::{fmt, time::Duration};

use reqwest::Url;

/// Why an origin gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The registry is not configured, and registries that are not are not asked.
    #[error(
        "{registry} is not among the configured registries; Shoal does not ask it and leaves it to the runtime"
    )]
    Unlisted {
        /// The registry that an image named.
        registry: String,
    },
    /// The origin does not have it.
    #[error("{0}; Shoal tells the runtime that it does not exist")]
    NotFound(Trouble),
    /// The origin refused access.
    #[error("{0}; Shoal leaves it to the runtime, which may have credentials of its own")]
    Denied(Trouble),
    /// The origin wants fewer requests.
    #[error("{trouble}; Shoal {}", wait(retry_after.as_ref()))]
    TooManyRequests {
        /// Where and what.
        trouble: Trouble,
        /// How long the origin asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The origin could not be reached, or could not answer.
    #[error("{trouble}; Shoal {}", wait(retry_after.as_ref()))]
    Unavailable {
        /// Where and what.
        trouble: Trouble,
        /// How long the origin asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// What the origin sent is not what its digest, length or type says.
    #[error("{0}; Shoal keeps nothing of it")]
    Corrupt(Trouble),
    /// The origin asked for, or sent, what Shoal does not do or accept.
    #[error("{0}; Shoal refuses that and leaves it to the runtime")]
    Refused(Trouble),
}

/// Where something went wrong, and what: `https://host/path answered 404 Not Found`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The URL that was asked.
    pub url: PublicUrl,
    /// What came of it.
    pub what: String,
}

/// A URL without what may be secret: user, password, query (signatures live there) and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl OriginError {
    /// True when the same request may well succeed a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. } | Self::Unavailable { .. })
    }

    /// How long the origin asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn unavailable(url: &PublicUrl, what: impl Into<String>) -> Self {
        Self::Unavailable { trouble: Trouble::new(url, what), retry_after: None }
    }

    pub(crate) fn denied(url: &PublicUrl, what: impl Into<String>) -> Self {
        Self::Denied(Trouble::new(url, what))
    }

    pub(crate) fn corrupt(url: &PublicUrl, what: impl Into<String>) -> Self {
        Self::Corrupt(Trouble::new(url, what))
    }

    pub(crate) fn refused(url: &PublicUrl, what: impl Into<String>) -> Self {
        Self::Refused(Trouble::new(url, what))
    }

    /// From a failure to send, or to receive a body. The client's own text would show the whole URL.
    pub(crate) fn from_client(url: &PublicUrl, error: reqwest::Error) -> Self {
        Self::unavailable(url, describe(&error.without_url()))
    }
}

impl Trouble {
    pub(crate) fn new(url: &PublicUrl, what: impl Into<String>) -> Self {
        Self { url: url.clone(), what: what.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.url, self.what)
    }
}

impl From<&Url> for PublicUrl {
    fn from(url: &Url) -> Self {
        Self(format!("{}://{}{}", url.scheme(), authority(url), url.path()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn wait(retry_after: Option<&Duration>) -> String {
    retry_after.map_or_else(
        || "tries again, then leaves it to the runtime".to_owned(),
        |after| format!("asks nothing there for {} s, as told", after.as_secs().max(1)),
    )
}

/// The error and its causes in one line; the outermost alone says little more than "error sending request".
fn describe(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let text = causes.fold(format!("failed: {error}"), |text, cause| format!("{text}: {cause}"));
    if error.is_timeout() { format!("{text} (in silence for too long)") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_stripped_from_urls() {
        let url = Url::parse("https://user:pass@cdn.example:8443/blob?X-Amz-Signature=abc#f").expect("valid");
        assert_eq!(PublicUrl::from(&url).to_string(), "https://cdn.example:8443/blob");
    }

    #[test]
    fn an_error_says_where_what_and_what_next() {
        let url = PublicUrl::from(&Url::parse("https://r.example/v2/a/manifests/b").expect("valid"));
        let error = OriginError::TooManyRequests {
            trouble: Trouble::new(&url, "answered 429 Too Many Requests"),
            retry_after: Some(Duration::from_secs(30)),
        };
        assert_eq!(
            error.to_string(),
            "https://r.example/v2/a/manifests/b answered 429 Too Many Requests; \
             Shoal asks nothing there for 30 s, as told"
        );
    }
}
