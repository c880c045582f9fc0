//! `shoal import`: what an operator has told runtimes about registries, as Shoal's own `[[registry]]` sections.
//!
//! Nothing that is secret is printed: logins are referred to by the file that they are in, or go into files of their
//! own. What has no equal in Shoal is told, never dropped in silence; and nothing becomes laxer by being moved: a
//! login for one endpoint, or leave not to verify it, is not given to others.

mod containerd;
mod containers;
mod credentials;
mod docker;
mod endpoint;
mod found;
mod hosts;
mod render;
mod section;

use std::path::PathBuf;

use crate::configure::{ConfigureError, Root, Runtime, reading::View};

pub use found::Found;
pub use render::{SecretError, Secrets};

/// Which files to read, as seen below the root.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// containerd's configuration; with it the `hosts.toml` files that it points to.
    pub containerd: Option<PathBuf>,
    /// Docker's `daemon.json`.
    pub docker: Option<PathBuf>,
    /// `registries.conf`, and the folder of the same name with `.d` beside it.
    pub containers: Option<PathBuf>,
    /// Logins as `docker login` and `podman login` keep them.
    pub logins: Vec<PathBuf>,
    /// Folders with a folder for each registry: certificates, or a `hosts.toml`.
    pub folders: Vec<PathBuf>,
}

impl Sources {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        let files = [&self.containerd, &self.docker, &self.containers];
        files.iter().all(|file| file.is_none()) && self.logins.is_empty() && self.folders.is_empty()
    }

    /// Where runtimes look by themselves.
    pub fn usual() -> Self {
        Self {
            containerd: Some("/etc/containerd/config.toml".into()),
            docker: Some("/etc/docker/daemon.json".into()),
            containers: Some("/etc/containers/registries.conf".into()),
            logins: [
                "/root/.docker/config.json",
                "/var/lib/kubelet/config.json",
                "/run/containers/0/auth.json",
                "/root/.config/containers/auth.json",
            ]
            .map(PathBuf::from)
            .to_vec(),
            folders: ["/etc/docker/certs.d", "/etc/containers/certs.d"].map(PathBuf::from).to_vec(),
        }
    }
}

/// Reads `sources` below `root`; what is not there is left out.
///
/// # Errors
/// When a file is there and can't be read or understood.
pub fn import(root: &Root, sources: &Sources) -> Result<Found, ConfigureError> {
    let mut found = Found::default();
    if let Some(path) = &sources.containerd {
        containerd::read(root, path, &mut found)?;
    }
    if let Some(path) = &sources.docker {
        docker::read(root, path, &mut found)?;
    }
    if let Some(path) = &sources.containers {
        containers::read(root, path, &mut found)?;
    }
    let view = View::of(root, Runtime::Docker)?;
    sources.folders.iter().try_for_each(|folder| hosts::read(&view, folder, &mut found))?;
    for path in &sources.logins {
        credentials::read(root, path, &mut found)?;
    }
    Ok(found)
}
