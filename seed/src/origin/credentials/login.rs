//! A login, and how it goes over the wire.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;

use super::LoginError;
use crate::config::Secret;

/// Who somebody is, and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::origin) enum Login {
    Password {
        username: String,
        password: Secret,
    },
    /// What a token service gave in place of a password (`identitytoken` in Docker's lists).
    Identity {
        /// Known to some registries only.
        username: Option<String>,
        token: Secret,
    },
}

impl Login {
    /// A user of this name means, to credential helpers, that the secret is an identity token.
    const TOKEN_USER: &'static str = "<token>";

    pub(super) fn of_helper(username: String, secret: Secret) -> Self {
        match username.as_str() {
            Self::TOKEN_USER => Self::Identity { username: None, token: secret },
            _ => Self::Password { username, password: secret },
        }
    }

    pub(in crate::origin) fn username(&self) -> Option<&str> {
        match self {
            Self::Password { username, .. } => Some(username),
            Self::Identity { username, .. } => username.as_deref(),
        }
    }

    /// The header `Authorization` of Basic access. An identity token takes the password's place where its user is
    /// known.
    pub(in crate::origin) fn basic(&self) -> Result<HeaderValue, LoginError> {
        let (username, secret) = match self {
            Self::Password { username, password } => (username, password),
            Self::Identity { username: Some(username), token } => (username, token),
            Self::Identity { username: None, .. } => return Err(LoginError::NeedsPassword),
        };
        let encoded = STANDARD.encode(format!("{username}:{}", secret.reveal()));
        secret_header(&format!("Basic {encoded}")).map_err(|_| LoginError::Unsendable)
    }
}

/// A header value that no log shows.
pub(in crate::origin) fn secret_header(text: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}
