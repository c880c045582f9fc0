//! Docker's list of logins: `config.json`, the `.dockerconfigjson` of Kubernetes, and the older `.dockercfg`.

use std::collections::HashMap;

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use shoal_protocol::reference::Repository;

use super::{Login, host::Server};
use crate::config::{HelperName, Secret};

/// Some tools write Base64 without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One list of logins.
#[derive(Debug, Default)]
pub(super) struct DockerConfig {
    logins: Vec<(String, Login)>,
    helpers: HashMap<String, HelperName>,
    store: Option<HelperName>,
}

/// What a list says of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Login(Login),
    /// This program knows.
    Helper(HelperName),
}

/// Why a text is no list of logins. Says nothing of the text: it may hold passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::origin) enum FormatError {
    #[error("is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("has something else than an object under {0:?}")]
    NotAnObject(&'static str),
    #[error(
        "names a credential helper whose name has other characters than letters, digits, '.', '_' and '-'"
    )]
    HelperName,
}

#[derive(Deserialize)]
struct RawLogin {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
}

impl DockerConfig {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let root: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| FormatError::NotJson { line: error.line(), column: error.column() })?;
        let is_legacy = !["auths", "credHelpers", "credsStore"].iter().any(|key| root.contains_key(*key));
        if is_legacy {
            return Ok(Self { logins: logins(&root), ..Self::default() });
        }
        let (auths, helpers) = (object(&root, "auths")?, object(&root, "credHelpers")?);
        let helpers = helpers.into_iter().flatten().map(|(key, name)| Some((key.clone(), helper(name)?)));
        let helpers = helpers.collect::<Option<_>>().ok_or(FormatError::HelperName)?;
        let store = match root.get("credsStore") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.is_empty() => None,
            Some(name) => Some(helper(name).ok_or(FormatError::HelperName)?),
        };
        Ok(Self { logins: auths.map(logins).unwrap_or_default(), helpers, store })
    }

    /// The entry for a repository of a server: a helper named for it, else a login, else the helper for everything.
    pub(super) fn find(&self, server: &Server, repository: &Repository) -> Option<Entry> {
        let helper = best(self.helpers.iter().map(|(key, name)| (key.as_str(), name)), server, repository);
        if let Some(name) = helper {
            return Some(Entry::Helper(name.clone()));
        }
        let login = best(self.logins.iter().map(|(key, login)| (key.as_str(), login)), server, repository);
        if let Some(login) = login {
            return Some(Entry::Login(login.clone()));
        }
        self.store.clone().map(Entry::Helper)
    }
}

fn best<'a, T>(
    entries: impl Iterator<Item = (&'a str, &'a T)>,
    server: &Server,
    repository: &Repository,
) -> Option<&'a T> {
    let fitting = entries.filter_map(|(key, value)| Some((server.fit(key, repository)?, value)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, value)| value)
}

fn object<'a>(
    root: &'a Map<String, Value>,
    key: &'static str,
) -> Result<Option<&'a Map<String, Value>>, FormatError> {
    match root.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(entries)) => Ok(Some(entries)),
        Some(_) => Err(FormatError::NotAnObject(key)),
    }
}

fn helper(name: &Value) -> Option<HelperName> {
    name.as_str()?.parse().ok()
}

/// Entries without a login are skipped: `{}` is what Docker writes when a helper has the password.
fn logins(entries: &Map<String, Value>) -> Vec<(String, Login)> {
    let read = |value: &Value| RawLogin::deserialize(value).ok().and_then(RawLogin::login);
    entries.iter().filter_map(|(key, value)| Some((key.clone(), read(value)?))).collect()
}

impl RawLogin {
    fn login(self) -> Option<Login> {
        let decoded = self.auth.as_ref().and_then(|auth| decode(auth.reveal()));
        let given = |text: &Secret| !text.reveal().is_empty();
        let username = self.username.filter(|name| !name.is_empty());
        let (name, password) = match (username, self.password.filter(given)) {
            (Some(name), Some(password)) => (Some(name), Some(password)),
            (name, _) => match decoded {
                Some((decoded_name, password)) => (Some(decoded_name), Some(password).filter(given)),
                None => (name, None),
            },
        };
        if let Some(token) = self.identitytoken.filter(given) {
            return Some(Login::Identity { username: name, token });
        }
        Some(Login::Password { username: name?, password: password? })
    }
}

/// The two halves of `auth`.
fn decode(auth: &str) -> Option<(String, Secret)> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    // Old Dockers padded the password with zeros.
    (!name.is_empty()).then(|| (name.to_owned(), Secret::new(password.trim_end_matches('\0'))))
}

#[cfg(test)]
mod tests;
