//! Asking a token service for a token.

use std::time::Duration;

use http::{HeaderValue, header::AUTHORIZATION};
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::{
    body,
    credentials::{Credentials, secret_header},
    error::{OriginError, PublicUrl},
};

/// Largest answer of a token service; real ones have a few KiB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// How long a token lives when its service does not say, by Docker's token specification.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Longest that a token is believed to live.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A token is renewed this long before it ends, so that none ends between its check here and its check there.
const MAX_MARGIN: Duration = Duration::from_secs(30);

/// What to ask which service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenAsk {
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    pub(super) scope: String,
}

/// A token, ready for the wire.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    renew_at: Instant,
}

impl Token {
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenAsk {
    fn url(&self, credentials: Option<&Credentials>) -> Url {
        let mut url = self.realm.clone();
        let mut query = url.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &self.scope);
        if let Some(credentials) = credentials {
            query.append_pair("account", &credentials.username);
        }
        drop(query);
        url
    }
}

/// One GET to the token service.
pub(super) async fn fetch(
    client: &Client,
    ask: &TokenAsk,
    credentials: Option<&Credentials>,
    patience: Duration,
) -> Result<Token, OriginError> {
    let realm = PublicUrl::from(&ask.realm);
    let asked_at = Instant::now();
    let mut request = client.get(ask.url(credentials));
    if let Some(credentials) = credentials {
        let basic =
            credentials.basic().await.map_err(|error| OriginError::denied(&realm, error.to_string()))?;
        request = request.header(AUTHORIZATION, basic);
    }
    let exchange = async {
        let response = request.send().await.map_err(|error| OriginError::from_client(&realm, error))?;
        let response = accepted(&realm, response)?;
        body::read_bounded(response, &realm, MAX_ANSWER_BYTES).await
    };
    let bytes = timeout(patience, exchange)
        .await
        .map_err(|_| OriginError::unavailable(&realm, format!("gave no token within {patience:?}")))??;
    read(&bytes, asked_at).map_err(|what| OriginError::refused(&realm, what))
}

fn accepted(realm: &PublicUrl, response: Response) -> Result<Response, OriginError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let what = format!("(the token service) answered {status}");
    Err(if status.is_client_error() && status != http::StatusCode::TOO_MANY_REQUESTS {
        OriginError::denied(realm, what)
    } else {
        OriginError::unavailable(realm, what)
    })
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
