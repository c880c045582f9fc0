//! One registry: its endpoints, its account, and how much is asked of it at a time.

use std::{sync::Arc, time::Instant};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE},
};
use reqwest::{Client, Response, Url};
use rustls::RootCertStore;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    ask::{Answer, Ask},
    auth::{Auth, Target},
    body, client,
    credentials::Source,
    endpoints::{Endpoints, Reached},
    error::{OriginError, PublicUrl, Trouble},
    pace::Pace,
    redirect::{MAX_REDIRECTS, next_hop, same_origin},
    reply::{Outcome, Reply, check_load, is_redirect},
    tls,
    token::TokenClient,
};
use crate::{
    config::{RegistryConfig, RegistryLimits},
    metrics::{Kind, OriginMetrics},
};

/// Asks one registry.
pub(super) struct Registry {
    /// What metrics call it.
    pub(super) label: String,
    /// Bytes of blobs a second; `None` for as many as come.
    pub(super) pace: Option<Arc<Pace>>,
    endpoints: Endpoints,
    client: Client,
    auth: Auth,
    limits: RegistryLimits,
    /// Apart from blobs, so that a question with a short answer never waits behind hours of layers.
    questions: Arc<Semaphore>,
    blobs: Arc<Semaphore>,
    metrics: OriginMetrics,
}

impl Registry {
    /// Sets the registry up, with the logins that its configuration names or, if it is not listed, with none.
    pub(super) fn new(
        config: &RegistryConfig,
        label: String,
        source: Source,
        system_roots: RootCertStore,
        metrics: OriginMetrics,
    ) -> Result<Self, RegistryError> {
        let limits = config.limits.clone();
        let endpoints = config.effective_endpoints()?;
        if config.insecure_skip_verify {
            tracing::warn!(
                registry = %config.host,
                "insecure_skip_verify is on: whoever is on the way there can read its logins and answer in its place"
            );
        }
        let client = client::build(config, &endpoints, system_roots)?;
        let tokens = token_client(&client, &limits, &label, &metrics);
        let budget = |most: usize| Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self {
            endpoints: Endpoints::new(endpoints, &limits, label.clone()),
            auth: Auth::new(source, tokens),
            pace: Pace::new(limits.max_bytes_per_s).map(Arc::new),
            questions: budget(limits.max_concurrent_requests),
            blobs: budget(limits.max_concurrent_blobs),
            label,
            client,
            limits,
            metrics,
        })
    }

    /// The answer of the first endpoint that has one. What several refuse or lack is told by the one that says most;
    /// any other status than 401, 403, 404, 410, 429 and 5xx is the caller's to judge at once.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, OriginError> {
        self.ask_as(&self.auth, ask).await
    }

    /// The same with somebody else's login, which is forgotten with the answer.
    pub(super) async fn ask_with(&self, source: Source, ask: &Ask<'_>) -> Result<Answer, OriginError> {
        let auth = Auth::new(source, self.token_client());
        self.ask_as(&auth, ask).await
    }

    async fn ask_as(&self, auth: &Auth, ask: &Ask<'_>) -> Result<Answer, OriginError> {
        let permit = self.admit(ask).await?;
        let mut kept: Option<Outcome> = None;
        for endpoint in self.endpoints.order(ask.avoid, &self.client, self.limits.answer_timeout()) {
            let result = self.ask_endpoint(auth, endpoint, ask).await;
            self.endpoints.note(endpoint, result.as_ref().err());
            let outcome = Outcome { endpoint, result };
            if outcome.weight() == 0 {
                kept = Some(outcome);
                break;
            }
            if kept.as_ref().is_none_or(|kept| kept.weight() < outcome.weight()) {
                kept = Some(outcome);
            }
        }
        let Some(Outcome { endpoint, result }) = kept else {
            return Err(OriginError::Unlisted { registry: self.label.clone() });
        };
        let Reply { response, was_redirected } = result?;
        Ok(Answer { response, url: self.url(endpoint, ask), was_redirected, endpoint, permit })
    }

    pub(super) fn endpoint(&self, index: usize) -> &Reached {
        self.endpoints.get(index)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Asks token services, and remembers nothing of what the others have learnt.
    pub(super) fn token_client(&self) -> TokenClient {
        token_client(&self.client, &self.limits, &self.label, &self.metrics)
    }

    pub(super) fn endpoint_count(&self) -> usize {
        self.endpoints.count()
    }

    /// An endpoint broke off in the middle of a body.
    pub(super) fn broke_off(&self, endpoint: usize, error: &OriginError) {
        self.endpoints.note(endpoint, Some(error));
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
        PublicUrl::from(&ask.url(&self.endpoints.get(endpoint).endpoint))
    }

    async fn ask_endpoint(&self, auth: &Auth, index: usize, ask: &Ask<'_>) -> Result<Reply, OriginError> {
        let reached = self.endpoints.get(index);
        let url = ask.url(&reached.endpoint);
        let public = PublicUrl::from(&url);
        if let Some(left) = reached.quiet.remaining() {
            let trouble = Trouble::new(&public, "is not asked now, as it wanted fewer requests");
            return Err(OriginError::TooManyRequests { trouble, retry_after: Some(left) });
        }
        let target =
            Target { endpoint: index, authority: &reached.authority, repository: ask.repository, url: &url };
        let reply = self.with_access(auth, target, ask).await;
        let reply = reply.inspect_err(|error| reached.quiet.heed(error))?;
        check_load(&reply, &public, &reached.quiet)?;
        body::require_identity(reply.response.headers(), &public)?;
        Ok(reply)
    }

    /// Sends the request with what is known to let it in, and once more when the answer says how it would be.
    async fn with_access(
        &self,
        auth: &Auth,
        target: Target<'_>,
        ask: &Ask<'_>,
    ) -> Result<Reply, OriginError> {
        let sent = auth.known(target).await?;
        let reply = self.follow(target.url, ask, sent.clone()).await?;
        let (status, headers) = (reply.registry_status(), reply.response.headers());
        let Some(better) = auth.answered(target, status, headers, sent.as_ref()).await? else {
            return Ok(reply);
        };
        let reply = self.follow(target.url, ask, Some(better.clone())).await?;
        auth.let_in_by(target, reply.registry_status(), &better);
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

impl RegistryError {
    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub(super) fn client(error: reqwest::Error) -> Self {
        Self::Client(error.to_string())
    }
}

fn token_client(
    client: &Client,
    limits: &RegistryLimits,
    label: &str,
    metrics: &OriginMetrics,
) -> TokenClient {
    TokenClient::new(client.clone(), limits.answer_timeout(), label.to_owned(), metrics.clone())
}
