//! Asking a token service for a token.
//!
//! There are two ways: Docker's GET with Basic access, and OAuth2's POST. Which one a service takes is found out and
//! remembered.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::{
    body,
    credentials::{Login, secret_header},
    error::{OriginError, PublicUrl, Trouble},
    quiet::retry_after,
};
use crate::metrics::{Kind, OriginMetrics};

/// Largest answer of a token service; real ones have a few KiB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// How long a token lives when its service does not say, by Docker's token specification.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Longest that a token is believed to live.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A token is renewed this long before it ends, so that none ends between its check here and its check there.
const MAX_MARGIN: Duration = Duration::from_secs(30);
/// Most token services of one registry whose way is remembered; past it, all are found out again.
const MAX_REALMS: usize = 64;
/// What OAuth2 calls the program that asks.
const CLIENT_ID: &str = "shoal";

/// What to ask which service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenAsk {
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    /// Empty where only the login is to be tried, as `docker login` does.
    pub(super) scope: String,
}

/// A token, ready for the wire.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    renew_at: Instant,
}

/// How a token service wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Get,
    Post,
}

/// Asks the token services that one registry names.
pub(super) struct TokenClient {
    client: Client,
    patience: Duration,
    label: String,
    metrics: OriginMetrics,
    ways: Mutex<HashMap<Url, Way>>,
}

/// Why a token service gave none, and its status where it answered.
struct Refusal {
    status: Option<StatusCode>,
    error: OriginError,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Token {
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

impl TokenClient {
    pub(super) fn new(client: Client, patience: Duration, label: String, metrics: OriginMetrics) -> Self {
        Self { client, patience, label, metrics, ways: Mutex::default() }
    }

    /// A new token, by the way that worked before, else by either.
    pub(super) async fn fetch(&self, ask: &TokenAsk, login: Option<&Login>) -> Result<Token, OriginError> {
        let known = self.way_of(&ask.realm);
        let first = match login {
            Some(Login::Identity { .. }) => Way::Post,
            Some(Login::Password { .. }) => known.unwrap_or(Way::Get),
            None => Way::Get,
        };
        let refusal = match self.exchange(ask, login, first).await {
            Ok(token) => return Ok(token),
            Err(refusal) => refusal,
        };
        let Some(second) = other_way(first, login) else { return Err(refusal.error) };
        // Where a way is known to work, "unauthorized" is about the login.
        let is_about_login = known == Some(first) && refusal.status == Some(StatusCode::UNAUTHORIZED);
        if is_about_login || !refusal.is_about_the_way() {
            return Err(refusal.error);
        }
        match self.exchange(ask, login, second).await {
            Err(other) if other.is_about_the_way() && other.status != Some(StatusCode::UNAUTHORIZED) => {
                Err(refusal.error)
            }
            Err(other) => Err(other.error),
            Ok(token) => Ok(token),
        }
    }

    async fn exchange(&self, ask: &TokenAsk, login: Option<&Login>, way: Way) -> Result<Token, Refusal> {
        let realm = PublicUrl::from(&ask.realm);
        let asked_at = Instant::now();
        let request = match way {
            Way::Get => ask.get(&self.client, login, &realm)?,
            Way::Post => ask.post(&self.client, login),
        };
        let fetched = timeout(self.patience, receive(request, &realm, asked_at)).await.unwrap_or_else(|_| {
            Err(OriginError::unavailable(&realm, format!("gave no token within {:?}", self.patience)).into())
        });
        let status = fetched.as_ref().map_or_else(|refusal| refusal.status, |_| Some(StatusCode::OK));
        let status = status.map(|status| status.as_u16());
        self.metrics.requested(&self.label, Kind::Token, status, asked_at.elapsed());
        if fetched.is_ok() && matches!(login, Some(Login::Password { .. })) {
            self.remember(&ask.realm, way);
        }
        fetched
    }

    fn way_of(&self, realm: &Url) -> Option<Way> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).get(realm).copied()
    }

    fn remember(&self, realm: &Url, way: Way) {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if ways.len() >= MAX_REALMS && !ways.contains_key(realm) {
            ways.clear();
        }
        ways.insert(realm.clone(), way);
    }
}

impl TokenAsk {
    fn get(
        &self,
        client: &Client,
        login: Option<&Login>,
        realm: &PublicUrl,
    ) -> Result<RequestBuilder, Refusal> {
        let mut url = self.realm.clone();
        url.query_pairs_mut().extend_pairs(self.service.iter().map(|service| ("service", service)));
        if !self.scope.is_empty() {
            url.query_pairs_mut().append_pair("scope", &self.scope);
        }
        let Some(login) = login else { return Ok(client.get(url)) };
        url.query_pairs_mut().extend_pairs(login.username().map(|username| ("account", username)));
        let basic = login.basic().map_err(|error| OriginError::denied(realm, error.to_string()))?;
        Ok(client.get(url).header(AUTHORIZATION, basic))
    }

    fn post(&self, client: &Client, login: Option<&Login>) -> RequestBuilder {
        // Only what a URL's query and a form have in common is used of this URL.
        let mut form = self.realm.clone();
        form.set_query(None);
        let mut pairs = form.query_pairs_mut();
        pairs.extend_pairs(self.service.iter().map(|service| ("service", service)));
        pairs.append_pair("scope", &self.scope).append_pair("client_id", CLIENT_ID);
        match login {
            Some(Login::Password { username, password }) => {
                pairs.append_pair("grant_type", "password").append_pair("username", username);
                pairs.append_pair("password", password.reveal());
            }
            Some(Login::Identity { token, .. }) => {
                pairs.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.reveal());
            }
            None => {}
        }
        drop(pairs);
        let body = form.query().unwrap_or_default().to_owned();
        client.post(self.realm.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }
}

impl Refusal {
    fn is_about_the_way(&self) -> bool {
        matches!(
            self.status,
            Some(
                StatusCode::BAD_REQUEST
                    | StatusCode::UNAUTHORIZED
                    | StatusCode::NOT_FOUND
                    | StatusCode::METHOD_NOT_ALLOWED
            )
        )
    }
}

impl From<OriginError> for Refusal {
    fn from(error: OriginError) -> Self {
        Self { status: None, error }
    }
}

/// Without a login there is nothing to POST, and without a user's name nothing for Basic access.
fn other_way(way: Way, login: Option<&Login>) -> Option<Way> {
    match way {
        Way::Get => login.map(|_| Way::Post),
        Way::Post => login.and_then(Login::username).map(|_| Way::Get),
    }
}

async fn receive(request: RequestBuilder, realm: &PublicUrl, asked_at: Instant) -> Result<Token, Refusal> {
    let response = request.send().await.map_err(|error| OriginError::from_client(realm, error))?;
    let response = accepted(realm, response)?;
    let bytes = body::read_bounded(response, realm, MAX_ANSWER_BYTES).await?;
    read(&bytes, asked_at).map_err(|what| OriginError::refused(realm, what).into())
}

fn accepted(realm: &PublicUrl, response: Response) -> Result<Response, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let trouble = Trouble::new(realm, format!("(the token service) answered {status}"));
    let retry_after = retry_after(response.headers(), SystemTime::now());
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => OriginError::TooManyRequests { trouble, retry_after },
        status if status.is_client_error() => OriginError::Denied(trouble),
        _ => OriginError::Unavailable { trouble, retry_after },
    };
    Err(Refusal { status: Some(status), error })
}

/// The reason for an error must not quote the answer: it may hold a good token.
fn read(bytes: &[u8], asked_at: Instant) -> Result<Token, &'static str> {
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|_| "gave a token that is not in JSON form")?;
    let text = answer.token.or(answer.access_token).filter(|text| !text.is_empty());
    let text = text.ok_or("gave an answer without a token")?;
    let header =
        secret_header(&format!("Bearer {text}")).map_err(|_| "gave a token with control characters")?;
    let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs).min(MAX_LIFE);
    let margin = MAX_MARGIN.min(life / 4);
    Ok(Token { header, renew_at: asked_at + (life - margin) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renewed_after(json: &str) -> Result<Duration, &'static str> {
        let now = Instant::now();
        read(json.as_bytes(), now).map(|token| token.renew_at - now)
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        assert_eq!(renewed_after(r#"{"token": "a", "expires_in": 300}"#), Ok(Duration::from_secs(270)));
        assert_eq!(renewed_after(r#"{"access_token": "a"}"#), Ok(Duration::from_secs(45)));
        assert_eq!(
            renewed_after(r#"{"token": "a", "expires_in": 18446744073709551615}"#),
            Ok(MAX_LIFE - MAX_MARGIN)
        );
    }

    #[test]
    fn answers_without_a_usable_token_are_errors() {
        for json in ["", "[]", "{}", r#"{"token": ""}"#, r#"{"token": "a\nb"}"#, r#"{"expires_in": -1}"#] {
            assert!(renewed_after(json).is_err(), "{json}");
        }
    }

    #[test]
    fn tokens_stay_out_of_logs() {
        let token = read(br#"{"token": "s3cret"}"#, Instant::now()).expect("a token");
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
