//! What is known of one registry.

use std::{fmt, path::PathBuf};

use super::endpoint::Endpoint;

/// One registry, put together from all sources.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) host: String,
    /// Where to ask, in order; empty means at the registry itself.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) ca_files: Vec<PathBuf>,
    /// Certificates with their keys.
    pub(super) clients: Vec<(PathBuf, PathBuf)>,
    pub(super) login: Option<Login>,
    /// The files that it comes from.
    pub(super) sources: Vec<PathBuf>,
}

/// Who to be at a registry.
#[derive(Debug)]
pub(super) enum Login {
    /// A user whose password is in the file `from`.
    Password { username: String, password: Password, from: PathBuf },
    /// As a file of `docker login` says.
    DockerConfig(PathBuf),
    /// As a program says, `docker-credential-` and this name.
    Helper(String),
}

/// A password: never printed.
pub(super) struct Password(pub(super) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Section {
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            endpoints: Vec::new(),
            ca_files: Vec::new(),
            clients: Vec::new(),
            login: None,
            sources: Vec::new(),
        }
    }

    /// Adds places to ask after those that are known. One that is known keeps its place.
    pub(super) fn add_endpoints(&mut self, endpoints: impl IntoIterator<Item = Endpoint>) {
        for endpoint in endpoints {
            match self.endpoints.iter_mut().find(|known| known.url == endpoint.url) {
                Some(known) => known.skip_verify |= endpoint.skip_verify,
                None => self.endpoints.push(endpoint),
            }
        }
    }

    /// Whether every place that is asked is on `host`, so that what is said of the host can be said of the registry.
    pub(super) fn is_all_on(&self, host: &str) -> bool {
        let own = [Endpoint::of_registry(&self.host)];
        let endpoints = if self.endpoints.is_empty() { &own[..] } else { &self.endpoints };
        endpoints.iter().all(|endpoint| endpoint.authority() == host)
    }

    /// Whether some place that is asked is on `host`.
    pub(super) fn asks(&self, host: &str) -> bool {
        self.host == host || self.endpoints.iter().any(|endpoint| endpoint.authority() == host)
    }

    /// Takes any certificate at `host`.
    pub(super) fn skip_verify_at(&mut self, host: &str) {
        if self.endpoints.is_empty() {
            self.endpoints.push(Endpoint::of_registry(&self.host));
        }
        let there = self.endpoints.iter_mut().filter(|endpoint| endpoint.authority() == host);
        there.for_each(|endpoint| endpoint.skip_verify = true);
    }

    /// Whether any certificate is taken at some place that has one, and whether at all of these.
    pub(super) fn skips_verify(&self) -> (bool, bool) {
        let mut secured = self.endpoints.iter().filter(|endpoint| !endpoint.is_plain_http()).peekable();
        let is_any = self.endpoints.iter().any(|endpoint| !endpoint.is_plain_http() && endpoint.skip_verify);
        (is_any, secured.peek().is_some() && secured.all(|endpoint| endpoint.skip_verify))
    }

    pub(super) fn note_source(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        if !self.sources.contains(&path) {
            self.sources.push(path);
        }
    }
}
