//! One registry: its endpoints, its account, and how much is asked of it at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE},
};
use reqwest::{Client, Response, Url, redirect::Policy};
use rustls::RootCertStore;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    ask::{Answer, Ask},
    auth::Auth,
    body,
    credentials::Credentials,
    error::{OriginError, PublicUrl, Trouble},
    quiet::{Quiet, retry_after},
    redirect::{MAX_REDIRECTS, next_hop, same_origin},
    tls,
};
use crate::{
    config::{Endpoint, RegistryConfig, RegistryLimits},
    metrics::{Kind, OriginMetrics},
};

/// How long an endpoint that failed comes after the others.
const SHAKY_FOR: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("shoal/", env!("CARGO_PKG_VERSION"));

/// Asks one registry.
pub(super) struct Registry {
    /// What metrics call it.
    pub(super) label: String,
    endpoints: Vec<Reached>,
    client: Client,
    auth: Auth,
    limits: RegistryLimits,
    /// Apart from blobs, so that a question with a short answer never waits behind hours of layers.
    questions: Arc<Semaphore>,
    blobs: Arc<Semaphore>,
    metrics: OriginMetrics,
}

/// An endpoint, and how it has been doing.
struct Reached {
    endpoint: Endpoint,
    /// It wanted fewer requests: not asked.
    quiet: Quiet,
    /// It failed: asked after the others, so that a dead endpoint doesn't cost each request a timeout.
    shaky: Quiet,
}

/// The answer of one endpoint.
struct Reply {
    response: Response,
    was_redirected: bool,
}

impl Registry {
    pub(super) fn new(
        config: &RegistryConfig,
        label: String,
        system_roots: RootCertStore,
        metrics: OriginMetrics,
    ) -> Result<Self, RegistryError> {
        let limits = config.limits.clone();
        let endpoints = config.effective_endpoints()?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(system_roots, config.ca_file.as_deref())?)
            .https_only(!endpoints.iter().any(Endpoint::is_plain_http))
            .redirect(Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .http2_adaptive_window(true)
            .connect_timeout(limits.connect_timeout())
            .read_timeout(limits.idle_timeout())
            .build()
            .map_err(|error| RegistryError::Client(error.to_string()))?;
        let credentials = Credentials::from_config(config)?;
        let auth =
            Auth::new(label.clone(), client.clone(), credentials, limits.answer_timeout(), metrics.clone());
        let budget = |most: usize| Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        let (questions, blobs) =
            (budget(limits.max_concurrent_requests), budget(limits.max_concurrent_blobs));
        let endpoints = endpoints.into_iter().map(Reached::new).collect();
        Ok(Self { label, endpoints, client, auth, limits, questions, blobs, metrics })
    }

    /// The first endpoint's answer that is neither a failure to connect, nor 5xx, nor 429. Any other status is
    /// the caller's to judge.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, OriginError> {
        let permit = self.admit(ask).await?;
        let mut failed = None;
        for endpoint in self.order(ask.avoid) {
            match self.ask_endpoint(endpoint, ask).await {
                Err(error) if error.is_temporary() => {
                    tracing::debug!(registry = self.label, %error, "endpoint failed");
                    self.endpoints[endpoint].shaky.keep_for(SHAKY_FOR);
                    failed = Some(error);
                }
                Err(error) => return Err(error),
                Ok(Reply { response, was_redirected }) => {
                    let url = self.url(endpoint, ask);
                    return Ok(Answer { response, url, was_redirected, endpoint, permit });
                }
            }
        }
        Err(failed.unwrap_or_else(|| OriginError::Unlisted { registry: self.label.clone() }))
    }

    pub(super) fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// Waits for a part of the budget, but no longer than for an answer.
    async fn admit(&self, ask: &Ask<'_>) -> Result<OwnedSemaphorePermit, OriginError> {
        let budget = if ask.kind == Kind::Blob { &self.blobs } else { &self.questions };
        let patience = self.limits.answer_timeout();
        match timeout(patience, Arc::clone(budget).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(OriginError::unavailable(
                &self.url(0, ask),
                format!("was not asked within {patience:?}, as so many requests are under way there"),
            )),
        }
    }

    fn url(&self, endpoint: usize, ask: &Ask<'_>) -> PublicUrl {
        PublicUrl::from(&self.endpoints[endpoint].endpoint.url(ask.repository, &ask.item))
    }

    fn order(&self, avoid: Option<usize>) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.endpoints.len()).collect();
        order
            .sort_by_key(|index| (Some(*index) == avoid, self.endpoints[*index].shaky.remaining().is_some()));
        order
    }

    async fn ask_endpoint(&self, index: usize, ask: &Ask<'_>) -> Result<Reply, OriginError> {
        let Reached { endpoint, quiet, .. } = &self.endpoints[index];
        let url = endpoint.url(ask.repository, &ask.item);
        let public = PublicUrl::from(&url);
        if let Some(left) = quiet.remaining() {
            let trouble = Trouble::new(&public, "is not asked now, as it wanted fewer requests");
            return Err(OriginError::TooManyRequests { trouble, retry_after: Some(left) });
        }
        let key = (index, ask.repository.clone());
        let known = self.auth.known(&key, &public).await?;
        let mut reply = self.follow(&url, ask, known.clone()).await?;
        if reply.response.status() == StatusCode::UNAUTHORIZED && !reply.was_redirected {
            let better = self.auth.challenged(&key, &url, reply.response.headers(), known.as_ref()).await?;
            if better.is_some() {
                reply = self.follow(&url, ask, better).await?;
            }
        }
        check_load(&reply, &public, quiet)?;
        body::require_identity(reply.response.headers(), &public)?;
        Ok(reply)
    }

    /// Sends the request, and again to where each redirect leads. `authorization` stays with the first host.
    async fn follow(
        &self,
        first: &Url,
        ask: &Ask<'_>,
        mut authorization: Option<HeaderValue>,
    ) -> Result<Reply, OriginError> {
        let started = Instant::now();
        let mut url = first.clone();
        for hop in 0..=MAX_REDIRECTS {
            let sent = self.send(&url, ask, authorization.as_ref()).await;
            let response = sent.inspect_err(|_| self.count(ask, None, started))?;
            if !is_redirect(response.status()) {
                self.count(ask, Some(response.status()), started);
                return Ok(Reply { response, was_redirected: hop > 0 });
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = next_hop(&url, location)
                .map_err(|error| OriginError::refused(&PublicUrl::from(&url), error.to_string()))?;
            if !same_origin(first, &next) {
                authorization = None;
            }
            url = next;
        }
        Err(OriginError::refused(
            &PublicUrl::from(first),
            format!("redirects more than {MAX_REDIRECTS} times"),
        ))
    }

    async fn send(
        &self,
        url: &Url,
        ask: &Ask<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, OriginError> {
        let public = PublicUrl::from(url);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(ask.accept.map(|types| (ACCEPT, HeaderValue::from_static(types))));
        headers.extend(ask.range.as_ref().and_then(|range| Some((RANGE, range.parse().ok()?))));
        headers.extend(authorization.map(|value| (AUTHORIZATION, value.clone())));
        let request = self.client.request(ask.method.clone(), url.clone()).headers(headers);
        let patience = self.limits.answer_timeout();
        match timeout(patience, request.send()).await {
            Ok(sent) => sent.map_err(|error| OriginError::from_client(&public, error)),
            Err(_) => Err(OriginError::unavailable(&public, format!("did not answer within {patience:?}"))),
        }
    }

    fn count(&self, ask: &Ask<'_>, status: Option<StatusCode>, started: Instant) {
        let status = status.map(|status| status.as_u16());
        self.metrics.requested(&self.label, ask.kind, status, started.elapsed());
    }
}

impl Reached {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, quiet: Quiet::default(), shaky: Quiet::default() }
    }
}

/// Why a registry's configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// An endpoint, or the one made of the host.
    #[error("endpoints: {0}")]
    Endpoint(#[from] crate::config::EndpointError),
    /// The account.
    #[error(transparent)]
    Credentials(#[from] super::CredentialsError),
    /// Authorities or TLS itself.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The HTTP client.
    #[error("no HTTP client could be made: {0}")]
    Client(String),
}

/// Turns the statuses that mean "not now" into errors, and keeps quiet for as long as they ask.
fn check_load(reply: &Reply, url: &PublicUrl, quiet: &Quiet) -> Result<(), OriginError> {
    let status = reply.response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return Ok(());
    }
    let retry_after = retry_after(reply.response.headers(), SystemTime::now());
    if let (Some(wait), false) = (retry_after, reply.was_redirected) {
        quiet.keep_for(wait);
    }
    let trouble = Trouble::new(url, format!("answered {status}"));
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => OriginError::TooManyRequests { trouble, retry_after },
        // "Not implemented" stays so, however often it is asked: a fallback may know another way.
        StatusCode::NOT_IMPLEMENTED => return Ok(()),
        _ => OriginError::Unavailable { trouble, retry_after },
    })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
