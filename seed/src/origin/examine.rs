//! What stands between this host and a registry, told apart well enough to name the mend.
//!
//! Each endpoint is asked one question, the one that says whether somebody may come in at all; then the login is tried
//! the way the answer wants it. Nothing is asked of a repository, so a made-up name can't be what was refused.

use std::{
    error::Error,
    io,
    time::{Duration, SystemTime},
};

use futures::future::join_all;
use http::{HeaderMap, StatusCode, header::DATE};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::Response;
use rustls::CertificateError;
use shoal_protocol::reference::Repository;
use tokio::time::timeout;

use super::{
    RegistryError,
    auth::trusted_realm,
    challenge::{Challenge, challenges},
    credentials::{Freshness, Login, Sought, Source},
    endpoints::Reached,
    error::{OriginError, PublicUrl},
    key,
    quiet::retry_after,
    registry::Registry,
    tls,
    token::TokenAsk,
};
use crate::{config::RegistryConfig, metrics::OriginMetrics};

/// One endpoint of a registry, and how it went with it.
#[derive(Debug)]
pub struct Examined {
    /// Where the endpoint is.
    pub url: PublicUrl,
    /// What it told, or what is in the way.
    pub result: Result<Met, Obstacle>,
}

/// What an endpoint tells to whoever may come in.
#[derive(Debug)]
pub struct Met {
    /// Its clock, in seconds since 1970, where it tells.
    pub clock_s: Option<i64>,
    /// Whether it took a login.
    pub is_logged_in: bool,
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The host's name has no address.
    Unresolved(String),
    /// Nobody listens there.
    Refused(String),
    /// No connection, or no answer, in time; or another failure on the way.
    Unreachable(String),
    /// The certificate has ended, or is not valid yet.
    CertificateTime(String),
    /// Nobody that this host trusts vouches for the certificate.
    CertificateIssuer(String),
    /// The certificate is another host's.
    CertificateName(String),
    /// TLS failed otherwise: plain HTTP behind `https://`, or the registry wants a client certificate.
    Tls(String),
    /// The login can't be read: its file, its helper.
    NoLogin(String),
    /// The login was refused.
    LoginRefused(String),
    /// The registry lets nobody in without a login, and there is none.
    LoginNeeded(String),
    /// It wants fewer requests.
    Busy {
        /// What it said.
        what: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It answers what a registry does not.
    NotARegistry(String),
}

/// Asks every endpoint of a registry, side by side, each for up to `patience` in all.
///
/// # Errors
/// When the registry's settings contradict each other, or its files can't be read.
pub async fn examine(config: &RegistryConfig, patience: Duration) -> Result<Vec<Examined>, RegistryError> {
    let metrics = OriginMetrics::new(&prometheus::Registry::new());
    let metrics = metrics.map_err(|error| RegistryError::Client(error.to_string()))?;
    let source = Source::from_config(config)?;
    let spare = Source::nobody(config.host.clone());
    let registry = Registry::new(config, key(&config.host), spare, tls::system_roots(), metrics)?;
    let examination = Examination { registry: &registry, source: &source };
    let asked = (0..registry.endpoint_count()).map(|index| async move {
        let reached = examination.registry.endpoint(index);
        let url = PublicUrl::from(&reached.endpoint.ping_url());
        let late = |_| Err(Obstacle::Unreachable(format!("{url} gave no answer within {patience:?}")));
        let result = timeout(patience, examination.meet(reached)).await.unwrap_or_else(late);
        Examined { url, result }
    });
    Ok(join_all(asked).await)
}

#[derive(Clone, Copy)]
struct Examination<'a> {
    registry: &'a Registry,
    source: &'a Source,
}

impl Examination<'_> {
    async fn meet(self, reached: &Reached) -> Result<Met, Obstacle> {
        let answer = self.ping(reached, None).await?;
        let (status, headers) = (answer.status(), answer.headers());
        let url = PublicUrl::from(&reached.endpoint.ping_url());
        let clock_s = clock_s(headers);
        match status {
            StatusCode::UNAUTHORIZED => {
                let is_logged_in = self.log_in(reached, &url, headers).await?;
                Ok(Met { clock_s, is_logged_in })
            }
            StatusCode::TOO_MANY_REQUESTS => Err(Obstacle::Busy {
                what: format!("{url} answered {status}"),
                retry_after: retry_after(headers, SystemTime::now()),
            }),
            status if status.is_server_error() => {
                Err(Obstacle::Unreachable(format!("{url} answered {status}")))
            }
            // What sends its pages elsewhere sends its images there, too.
            status if status.is_success() || status.is_redirection() => {
                Ok(Met { clock_s, is_logged_in: false })
            }
            status => Err(Obstacle::NotARegistry(format!("{url} answered {status}"))),
        }
    }

    /// Whether a login was taken; false where there is none and none is needed.
    async fn log_in(self, reached: &Reached, url: &PublicUrl, headers: &HeaderMap) -> Result<bool, Obstacle> {
        let login = self.login(reached).await?;
        match (challenges(headers).into_iter().next(), login) {
            (Some(Challenge::Bearer { .. }), None) => Ok(false),
            (_, None) => Err(Obstacle::LoginNeeded(format!(
                "{url} lets nobody in without a login, and none is configured"
            ))),
            (Some(Challenge::Bearer { realm, service, scope }), Some(login)) => {
                let realm = trusted_realm(&reached.endpoint.ping_url(), &realm)
                    .map_err(|error| refused_or_lost(&error))?;
                let ask = TokenAsk { realm, service, scope: scope.unwrap_or_default() };
                let tokens = self.registry.token_client();
                tokens.fetch(&ask, Some(&login)).await.map(|_| true).map_err(|error| refused_or_lost(&error))
            }
            (_, Some(login)) => {
                let header = login.basic().map_err(|error| Obstacle::NoLogin(error.to_string()))?;
                let status = self.ping(reached, Some(header)).await?.status();
                match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        Err(Obstacle::LoginRefused(format!("{url} answered {status} to the login")))
                    }
                    _ => Ok(true),
                }
            }
        }
    }

    async fn login(self, reached: &Reached) -> Result<Option<Login>, Obstacle> {
        // Lists of logins may name single repositories; a name that none has finds the registry's own.
        let repository: Repository =
            "shoal".parse().map_err(|_| Obstacle::NoLogin("no login can be looked for".to_owned()))?;
        let sought = Sought { endpoint: &reached.authority, repository: &repository };
        let login = self.source.login(sought, Freshness::Remembered).await;
        login.map_err(|error| Obstacle::NoLogin(error.to_string()))
    }

    async fn ping(self, reached: &Reached, login: Option<http::HeaderValue>) -> Result<Response, Obstacle> {
        let url = reached.endpoint.ping_url();
        let public = PublicUrl::from(&url);
        let mut request = self.registry.client().get(url);
        if let Some(login) = login {
            request = request.header(http::header::AUTHORIZATION, login);
        }
        request.send().await.map_err(|error| obstacle(&public, error))
    }
}

fn refused_or_lost(error: &OriginError) -> Obstacle {
    let what = error.to_string();
    match error {
        OriginError::Denied(_) => Obstacle::LoginRefused(what),
        OriginError::TooManyRequests { retry_after, .. } => {
            Obstacle::Busy { what, retry_after: *retry_after }
        }
        OriginError::Unavailable { .. } => Obstacle::Unreachable(what),
        _ => Obstacle::NotARegistry(what),
    }
}

fn clock_s(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::as_second)
}

/// What a failure to ask means. The client's own text would show the whole URL.
fn obstacle(url: &PublicUrl, error: reqwest::Error) -> Obstacle {
    let error = error.without_url();
    let cause = Cause::of(&error);
    let text = match OriginError::from_client(url, error) {
        OriginError::Unavailable { trouble, .. } => trouble.to_string(),
        other => other.to_string(),
    };
    match cause {
        Cause::Name => Obstacle::Unresolved(text),
        Cause::Refused => Obstacle::Refused(text),
        Cause::Certificate(error) => match error {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Obstacle::CertificateTime(text),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Obstacle::CertificateName(text)
            }
            _ => Obstacle::CertificateIssuer(text),
        },
        Cause::Tls => Obstacle::Tls(text),
        Cause::Other => Obstacle::Unreachable(text),
    }
}

enum Cause {
    Name,
    Refused,
    Certificate(CertificateError),
    Tls,
    Other,
}

impl Cause {
    /// The first cause, from the outside in, that says enough.
    fn of(error: &reqwest::Error) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = error.source();
        while let Some(cause) = next {
            match cause.downcast_ref::<rustls::Error>() {
                Some(rustls::Error::InvalidCertificate(error)) => return Self::Certificate(error.clone()),
                Some(_) => return Self::Tls,
                None => {}
            }
            let system = cause.downcast_ref::<io::Error>();
            if system.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                return Self::Refused;
            }
            // The client has no type of its own for this.
            if cause.to_string().starts_with("dns error") {
                return Self::Name;
            }
            // An I/O error passes over what it was made of when it is asked for its source.
            let inner = system.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
            next = inner.or_else(|| cause.source());
        }
        Self::Other
    }
}
