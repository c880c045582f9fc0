//! Logins as `docker login` and `podman login` keep them, and as containerd's older form does.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::configure::{
    ConfigureError, Root, Runtime,
    reading::{View, parse_daemon},
};

use super::{
    found::Found,
    section::{Login, Password},
};

/// A user and a password.
pub(super) struct Plain {
    username: String,
    password: Password,
}

impl Plain {
    pub(super) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: Password(password.to_owned()) }
    }

    /// The login that stands in the file `from`.
    pub(super) fn login(self, from: &Path) -> Login {
        Login::Password { username: self.username, password: self.password, from: from.to_owned() }
    }
}

/// What `auth` means: the user and the password, with a colon between them, in base64.
pub(super) fn decoded(auth: &str) -> Option<Plain> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Plain::new(username, password.trim_end_matches('\0')))
}

/// Refers to the logins in the file at `path`. They are not copied: a login that is renewed there stays in use.
pub(super) fn read(root: &Root, path: &Path, found: &mut Found) -> Result<(), ConfigureError> {
    let view = View::of(root, Runtime::Podman)?;
    let Some(content) = view.read(path)? else { return Ok(()) };
    let config = parse_daemon(path, &content)?;
    for (host, helper) in members(&config, "credHelpers") {
        if let Some(helper) = helper.as_str().filter(|helper| !helper.is_empty()) {
            add(found, host, Login::Helper(helper.to_owned()), path);
        }
    }
    for (host, _) in members(&config, "auths") {
        add(found, host, Login::DockerConfig(path.to_owned()), path);
    }
    Ok(())
}

fn members<'a>(config: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    config.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn add(found: &mut Found, host: &str, login: Login, path: &Path) {
    let name = super::endpoint::registry_name(host);
    if name.contains('/') {
        found.note(&format!(
            "{}: the login for {name} is for a part of a registry; Shoal has one login a registry.",
            path.display()
        ));
        return;
    }
    found.add_login(name, login, path);
}
