//! Whom a registry is told that we are, and where that is known from.
//!
//! Files are read each time that a login is needed, so what replaces them counts at once. Programs are asked again
//! when what they said was refused. No error and no log line has anything of a login in it but its user's name.

use std::path::PathBuf;

use shoal_protocol::reference::{RegistryHost, Repository};

use crate::config::{DockerConfigPlace, RegistryConfig, Secret};

mod docker_config;
mod file;
mod helper;
mod host;
mod login;

pub(super) use login::{Login, secret_header};

use docker_config::Entry;
use file::FileError;
use helper::{HelperError, Helpers};
use host::Server;

/// Where the logins of one registry come from.
#[derive(Debug)]
pub(super) struct Source {
    host: RegistryHost,
    place: Place,
    helpers: Helpers,
}

#[derive(Clone, Debug)]
enum Place {
    /// Nothing is configured: only a list that is meant for Shoal alone counts.
    Unsaid,
    Nobody,
    Fixed(Login),
    PasswordFile {
        username: String,
        path: PathBuf,
    },
    DockerConfig(DockerConfigPlace),
    Helper(crate::config::HelperName),
}

/// What a login is sought for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    /// Host and port of the endpoint.
    pub(super) endpoint: &'a str,
    pub(super) repository: &'a Repository,
}

/// Whether what is remembered will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Remembered,
    /// What is remembered was refused.
    Anew,
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
    /// Several sources of logins.
    #[error("username, docker_config and credential_helper exclude each other: keep one")]
    TwoSources,
}

/// Why a source gave no login.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Helper(#[from] HelperError),
    #[error("the login has characters that no header can carry")]
    Unsendable,
    #[error("there is only an identity token, and the registry asks for a password")]
    NeedsPassword,
}

impl Source {
    pub(super) fn from_config(config: &RegistryConfig) -> Result<Self, CredentialsError> {
        Ok(Self {
            host: config.host.clone(),
            place: Place::from_config(config)?,
            helpers: Helpers::default(),
        })
    }

    /// This login and no other.
    pub(super) fn fixed(host: RegistryHost, login: Login) -> Self {
        Self { host, place: Place::Fixed(login), helpers: Helpers::default() }
    }

    /// No login at all, whatever the environment holds.
    pub(super) fn nobody(host: RegistryHost) -> Self {
        Self { host, place: Place::Nobody, helpers: Helpers::default() }
    }

    /// The login as it is now; `None` where the source has none for this.
    pub(super) async fn login(
        &self,
        sought: Sought<'_>,
        freshness: Freshness,
    ) -> Result<Option<Login>, LoginError> {
        match &self.place {
            Place::Nobody => Ok(None),
            Place::Fixed(login) => Ok(Some(login.clone())),
            Place::PasswordFile { username, path } => {
                let password = file::read("password_file", path).await?;
                let password = Secret::new(password.trim_end_matches(['\r', '\n']));
                Ok(Some(Login::Password { username: username.clone(), password }))
            }
            Place::Helper(name) => {
                let server = Server::of(self.host.as_str());
                Ok(self.helpers.ask(name, &server, freshness).await?)
            }
            Place::DockerConfig(place) => {
                self.listed(file::docker_configs(place).await?, sought, freshness).await
            }
            Place::Unsaid => self.listed(file::own_docker_config()?, sought, freshness).await,
        }
    }

    /// The first login in these lists: for the endpoint's host, else for the registry's.
    async fn listed(
        &self,
        lists: Vec<docker_config::DockerConfig>,
        sought: Sought<'_>,
        freshness: Freshness,
    ) -> Result<Option<Login>, LoginError> {
        let (endpoint, registry) = (Server::of(sought.endpoint), Server::of(self.host.as_str()));
        let servers = if endpoint == registry { vec![registry] } else { vec![endpoint, registry] };
        for list in &lists {
            for server in &servers {
                let found = match list.find(server, sought.repository) {
                    Some(Entry::Login(login)) => Some(login),
                    Some(Entry::Helper(name)) => self.helpers.ask(&name, server, freshness).await?,
                    None => None,
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }
}

impl Place {
    fn from_config(config: &RegistryConfig) -> Result<Self, CredentialsError> {
        let account = Self::account(config)?;
        let list = config.docker_config.clone().map(Self::DockerConfig);
        let helper = config.credential_helper.clone().map(Self::Helper);
        let mut places = [account, list, helper].into_iter().flatten();
        match (places.next(), places.next()) {
            (Some(_), Some(_)) => Err(CredentialsError::TwoSources),
            (Some(place), None) => Ok(place),
            (None, _) => Ok(Self::Unsaid),
        }
    }

    fn account(config: &RegistryConfig) -> Result<Option<Self>, CredentialsError> {
        match (config.username.clone(), config.password.clone(), config.password_file.clone()) {
            (_, Some(_), Some(_)) => Err(CredentialsError::TwoPasswords),
            (Some(username), Some(password), None) => {
                Ok(Some(Self::Fixed(Login::Password { username, password })))
            }
            (Some(username), None, Some(path)) => Ok(Some(Self::PasswordFile { username, path })),
            (None, None, None) => Ok(None),
            _ => Err(CredentialsError::Half),
        }
    }
}
