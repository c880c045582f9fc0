//! Which `Authorization` a request carries.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Url;
use shoal_protocol::reference::Repository;

use super::{
    challenge::{Challenge, challenges},
    credentials::{Freshness, Login, Sought, Source},
    error::{OriginError, PublicUrl},
    token::{Token, TokenAsk, TokenClient},
};
use crate::single_flight::SingleFlight;

/// Most repositories whose access is remembered for a registry; past it, all are learnt again.
const MAX_REMEMBERED: usize = 4096;

/// Whose access it is: the endpoint's number, as each has its own token service, and the repository.
type Key = (usize, Repository);

/// Knows, or learns, how each repository of one registry wants to be asked.
///
/// Credentials go to the endpoints of their registry and to the token services that those name, nowhere else.
pub(super) struct Auth {
    source: Source,
    tokens: TokenClient,
    access: Mutex<HashMap<Key, Access>>,
    renewals: SingleFlight<Key, Result<Token, OriginError>>,
}

/// What access is sought to.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// The endpoint's number.
    pub(super) endpoint: usize,
    /// The endpoint's host and port.
    pub(super) authority: &'a str,
    pub(super) repository: &'a Repository,
    pub(super) url: &'a Url,
}

#[derive(Clone)]
enum Access {
    Basic,
    Bearer {
        ask: TokenAsk,
        token: Token,
        /// The token has opened the door once, so that a refusal may mean that it ended.
        is_proven: bool,
    },
}

impl Target<'_> {
    fn key(&self) -> Key {
        (self.endpoint, self.repository.clone())
    }

    fn sought(&self) -> Sought<'_> {
        Sought { endpoint: self.authority, repository: self.repository }
    }
}

impl Auth {
    pub(super) fn new(source: Source, tokens: TokenClient) -> Self {
        let (access, renewals) = Default::default();
        Self { source, tokens, access, renewals }
    }

    /// What to send first: what the last challenge asked for, with a token renewed in time, or nothing.
    pub(super) async fn known(&self, target: Target<'_>) -> Result<Option<HeaderValue>, OriginError> {
        match self.recall(&target.key()) {
            None => Ok(None),
            Some(Access::Basic) => self.basic(target, Freshness::Remembered).await,
            Some(Access::Bearer { token, .. }) if token.is_fresh() => Ok(Some(token.header)),
            Some(Access::Bearer { ask, .. }) => self.renew(target, ask, None).await.map(Some),
        }
    }

    /// What to send after the registry answered `status` to a request that carried `sent`; `None` when it was let
    /// in, or nothing better can be sent.
    pub(super) async fn answered(
        &self,
        target: Target<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        sent: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, OriginError> {
        match (status, sent) {
            (StatusCode::UNAUTHORIZED, _) => self.challenged(target, headers, sent).await,
            (StatusCode::FORBIDDEN, Some(sent)) => self.expired(target, sent).await,
            (_, Some(sent)) => {
                self.let_in_by(target, status, sent);
                Ok(None)
            }
            (_, None) => Ok(None),
        }
    }

    /// Remembers that `sent` opened the door, if that is what `status` means.
    pub(super) fn let_in_by(&self, target: Target<'_>, status: StatusCode, sent: &HeaderValue) {
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return;
        }
        let mut known = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Access::Bearer { token, is_proven, .. }) = known.get_mut(&target.key()) {
            *is_proven |= token.header == *sent;
        }
    }

    async fn challenged(
        &self,
        target: Target<'_>,
        headers: &HeaderMap,
        sent: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, OriginError> {
        match (challenges(headers).into_iter().next(), self.recall(&target.key())) {
            (Some(Challenge::Bearer { realm, service, scope }), _) => {
                let realm = trusted_realm(target.url, &realm)?;
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", target.repository));
                self.renew(target, TokenAsk { realm, service, scope }, sent).await.map(Some)
            }
            (None, Some(Access::Bearer { ask, .. })) => self.renew(target, ask, sent).await.map(Some),
            // Some registries forget to say how they want to be asked; Basic is what those take.
            _ => {
                self.remember(&target.key(), Access::Basic);
                self.better_basic(target, sent).await
            }
        }
    }

    /// Some registries (ECR is one) say 403 when a login has ended.
    async fn expired(
        &self,
        target: Target<'_>,
        sent: &HeaderValue,
    ) -> Result<Option<HeaderValue>, OriginError> {
        match self.recall(&target.key()) {
            Some(Access::Bearer { token, .. }) if token.header != *sent => Ok(Some(token.header)),
            Some(Access::Bearer { ask, is_proven: true, .. }) => {
                self.renew(target, ask, Some(sent)).await.map(Some)
            }
            Some(Access::Basic) => self.better_basic(target, Some(sent)).await,
            // A token that never opened the door has not ended: its owner may not pull this.
            _ => Ok(None),
        }
    }

    /// A token other than `refused`, by one call for all who need it.
    async fn renew(
        &self,
        target: Target<'_>,
        ask: TokenAsk,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, OriginError> {
        let key = target.key();
        let call = || async {
            match self.recall(&key) {
                // Another request met the same refusal first, and has renewed the token.
                Some(Access::Bearer { ask: known, token, .. })
                    if known == ask && token.is_fresh() && refused != Some(&token.header) =>
                {
                    Ok(token)
                }
                _ => {
                    let token = self.fetch(target, &ask, refused.is_some()).await?;
                    let (ask, token) = (ask.clone(), token);
                    self.remember(&key, Access::Bearer { ask, token: token.clone(), is_proven: false });
                    Ok(token)
                }
            }
        };
        self.renewals.run(key.clone(), call).await.map(|token| token.header)
    }

    /// Asks the token service; again, when it refuses a login that its source has replaced.
    async fn fetch(
        &self,
        target: Target<'_>,
        ask: &TokenAsk,
        was_refused: bool,
    ) -> Result<Token, OriginError> {
        let freshness = if was_refused { Freshness::Anew } else { Freshness::Remembered };
        let login = self.login(target, freshness).await?;
        match self.tokens.fetch(ask, login.as_ref()).await {
            Err(error @ OriginError::Denied(_)) if login.is_some() => {
                let newer = self.login(target, Freshness::Anew).await?;
                if newer == login {
                    return Err(error);
                }
                self.tokens.fetch(ask, newer.as_ref()).await
            }
            fetched => fetched,
        }
    }

    async fn better_basic(
        &self,
        target: Target<'_>,
        sent: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, OriginError> {
        let freshness = if sent.is_some() { Freshness::Anew } else { Freshness::Remembered };
        Ok(self.basic(target, freshness).await?.filter(|header| sent != Some(header)))
    }

    async fn basic(
        &self,
        target: Target<'_>,
        freshness: Freshness,
    ) -> Result<Option<HeaderValue>, OriginError> {
        let Some(login) = self.login(target, freshness).await? else { return Ok(None) };
        login.basic().map(Some).map_err(|error| not_asked(target, &error.to_string()))
    }

    async fn login(&self, target: Target<'_>, freshness: Freshness) -> Result<Option<Login>, OriginError> {
        let login = self.source.login(target.sought(), freshness).await;
        login.map_err(|error| not_asked(target, &error.to_string()))
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

fn not_asked(target: Target<'_>, why: &str) -> OriginError {
    OriginError::denied(&PublicUrl::from(target.url), format!("was not asked: {why}"))
}

/// A token service gets the account's password, so it must be no less protected than the endpoint naming it.
pub(super) fn trusted_realm(endpoint: &Url, realm: &str) -> Result<Url, OriginError> {
    let refuse = |what: &str| OriginError::refused(&PublicUrl::from(endpoint), what);
    let realm = Url::parse(realm).map_err(|_| refuse("named a token service that is not a URL"))?;
    match (endpoint.scheme(), realm.scheme()) {
        (_, "https") | ("http", "http") => Ok(realm),
        _ => Err(refuse("named a token service that is not reached over https://")),
    }
}
