//! What is asked of a registry, and what comes back.

use http::{Method, StatusCode};
use reqwest::{Response, Url};
use shoal_protocol::reference::Repository;
use tokio::sync::OwnedSemaphorePermit;

use super::error::{OriginError, PublicUrl, Trouble};
use crate::{config::Endpoint, metrics::Kind};

/// What to ask of a repository.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) kind: Kind,
    pub(super) method: Method,
    pub(super) repository: &'a Repository,
    /// `manifests/…`, `blobs/…`, `tags/list` or `referrers/…`.
    pub(super) item: String,
    /// What follows the `?`; empty for no more than the path.
    pub(super) query: &'a str,
    pub(super) accept: Option<&'static str>,
    pub(super) range: Option<String>,
    /// An endpoint to ask only when no other answers, as it gave wrong bytes before.
    pub(super) avoid: Option<usize>,
}

impl Ask<'_> {
    /// The URL at which `endpoint` is asked.
    pub(super) fn url(&self, endpoint: &Endpoint) -> Url {
        let mut url = endpoint.url(self.repository, &self.item);
        url.set_query((!self.query.is_empty()).then_some(self.query));
        url
    }
}

/// The head of an answer, and its body to be read.
pub(super) struct Answer {
    pub(super) response: Response,
    /// The URL that was asked first.
    pub(super) url: PublicUrl,
    /// Whether another URL answered than the one asked first.
    pub(super) was_redirected: bool,
    pub(super) endpoint: usize,
    /// Held for as long as the body is being read.
    pub(super) permit: OwnedSemaphorePermit,
}

impl Answer {
    /// This answer, if it is a success.
    pub(super) fn success(self) -> Result<Self, OriginError> {
        let status = self.response.status();
        let trouble = Trouble::new(&self.url, format!("answered {status}"));
        match status {
            status if status.is_success() => Ok(self),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(OriginError::NotFound(trouble)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(OriginError::Denied(trouble)),
            _ => Err(OriginError::Refused(trouble)),
        }
    }
}
