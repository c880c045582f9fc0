//! The account of a registry.

use std::{io, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;

use crate::config::{RegistryConfig, Secret};

/// A name, and where its password comes from.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) username: String,
    password: Password,
}

#[derive(Clone, Debug)]
enum Password {
    Fixed(Secret),
    File(PathBuf),
}

/// Why the credentials in a registry's configuration make no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A name without a password, or the other way round.
    #[error("username needs password or password_file, and they need username")]
    Half,
    /// A password in two places.
    #[error("password and password_file exclude each other")]
    TwoPasswords,
}

impl Credentials {
    pub(super) fn from_config(config: &RegistryConfig) -> Result<Option<Self>, CredentialsError> {
        let password = match (&config.password, &config.password_file) {
            (Some(_), Some(_)) => return Err(CredentialsError::TwoPasswords),
            (Some(secret), None) => Some(Password::Fixed(secret.clone())),
            (None, Some(path)) => Some(Password::File(path.clone())),
            (None, None) => None,
        };
        match (config.username.clone(), password) {
            (Some(username), Some(password)) => Ok(Some(Self { username, password })),
            (None, None) => Ok(None),
            _ => Err(CredentialsError::Half),
        }
    }

    /// The header `Authorization` of Basic access. A password file is read anew: short-lived passwords get replaced.
    pub(super) async fn basic(&self) -> io::Result<HeaderValue> {
        let password = match &self.password {
            Password::Fixed(secret) => secret.reveal().to_owned(),
            Password::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| {
                io::Error::new(error.kind(), format!("password_file {}: {error}", path.display()))
            })?,
        };
        let encoded =
            STANDARD.encode(format!("{}:{}", self.username, password.trim_end_matches(['\r', '\n'])));
        secret_header(&format!("Basic {encoded}")).map_err(io::Error::other)
    }
}

/// A header value that no log shows.
pub(super) fn secret_header(text: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}
