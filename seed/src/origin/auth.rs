//! Which `Authorization` a request carries.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use shoal_protocol::reference::Repository;

use super::{
    challenge::{Challenge, challenges},
    credentials::Credentials,
    error::{OriginError, PublicUrl},
    token::{self, Token, TokenAsk},
};
use crate::{
    metrics::{Kind, OriginMetrics},
    single_flight::SingleFlight,
};

/// Most repositories whose access is remembered for a registry; past it, all are learnt again.
const MAX_REMEMBERED: usize = 4096;

/// Whose access it is: the endpoint's number, as each has its own token service, and the repository.
type Key = (usize, Repository);

/// Knows, or learns, how each repository of one registry wants to be asked.
///
/// Credentials go to the endpoints of their registry and to the token services that those name, nowhere else.
pub(super) struct Auth {
    label: String,
    client: Client,
    credentials: Option<Credentials>,
    patience: Duration,
    access: Mutex<HashMap<Key, Access>>,
    renewals: SingleFlight<Key, Result<Token, OriginError>>,
    metrics: OriginMetrics,
}

#[derive(Clone)]
enum Access {
    Basic,
    Bearer { ask: TokenAsk, token: Option<Token> },
}

impl Auth {
    pub(super) fn new(
        label: String,
        client: Client,
        credentials: Option<Credentials>,
        patience: Duration,
        metrics: OriginMetrics,
    ) -> Self {
        let (access, renewals) = Default::default();
        Self { label, client, credentials, patience, access, renewals, metrics }
    }

    /// What to send first: what the last challenge asked for, with a token renewed in time, or nothing.
    pub(super) async fn known(&self, key: &Key, url: &PublicUrl) -> Result<Option<HeaderValue>, OriginError> {
        match self.recall(key) {
            None => Ok(None),
            Some(Access::Basic) => self.basic(url).await,
            Some(Access::Bearer { token: Some(token), .. }) if token.is_fresh() => Ok(Some(token.header)),
            Some(Access::Bearer { ask, .. }) => self.renew(key, ask).await.map(Some),
        }
    }

    /// What to send after a 401 to a request that carried `refused`; `None` when nothing better can be sent.
    pub(super) async fn challenged(
        &self,
        key: &Key,
        url: &Url,
        headers: &HeaderMap,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, OriginError> {
        let public = PublicUrl::from(url);
        match challenges(headers).into_iter().next() {
            Some(Challenge::Bearer { realm, service, scope }) => {
                let realm = self.trusted_realm(url, &realm)?;
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", key.1));
                self.bearer(key, TokenAsk { realm, service, scope }, refused).await.map(Some)
            }
            // Some registries forget to say how they want to be asked; Basic is what those take.
            Some(Challenge::Basic) | None => {
                self.remember(key, Access::Basic);
                Ok(self.basic(&public).await?.filter(|header| refused != Some(header)))
            }
        }
    }

    async fn bearer(
        &self,
        key: &Key,
        ask: TokenAsk,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, OriginError> {
        if let Some(Access::Bearer { token: Some(token), .. }) = self.recall(key)
            && refused != Some(&token.header)
        {
            // Another request met the same refusal first, and has renewed the token.
            return Ok(token.header);
        }
        self.remember(key, Access::Bearer { ask: ask.clone(), token: None });
        self.renew(key, ask).await
    }

    /// A new token, by one call for all who need it.
    async fn renew(&self, key: &Key, ask: TokenAsk) -> Result<HeaderValue, OriginError> {
        let call = || async {
            let started = Instant::now();
            let fetched = token::fetch(&self.client, &ask, self.credentials.as_ref(), self.patience).await;
            let status = fetched.is_ok().then_some(200);
            self.metrics.requested(&self.label, Kind::Token, status, started.elapsed());
            let token = fetched?;
            self.remember(key, Access::Bearer { ask: ask.clone(), token: Some(token.clone()) });
            Ok(token)
        };
        self.renewals.run(key.clone(), call).await.map(|token| token.header)
    }

    async fn basic(&self, url: &PublicUrl) -> Result<Option<HeaderValue>, OriginError> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let header = credentials.basic().await;
        header.map(Some).map_err(|error| OriginError::denied(url, format!("was not asked: {error}")))
    }

    /// A token service gets the account's password, so it must be no less protected than the endpoint naming it.
    fn trusted_realm(&self, endpoint: &Url, realm: &str) -> Result<Url, OriginError> {
        let refuse = |what: &str| OriginError::refused(&PublicUrl::from(endpoint), what);
        let realm = Url::parse(realm).map_err(|_| refuse("named a token service that is not a URL"))?;
        match (endpoint.scheme(), realm.scheme()) {
            (_, "https") | ("http", "http") => Ok(realm),
            _ => Err(refuse("named a token service that is not reached over https://")),
        }
    }

    fn recall(&self, key: &Key) -> Option<Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: &Key, access: Access) {
        let mut known = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED && !known.contains_key(key) {
            known.clear();
        }
        known.insert(key.clone(), access);
    }
}
