//! The runtimes that can be pointed at Shoal.

use std::{fmt, path::Path};

/// What pulls images on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// containerd, as Kubernetes and nerdctl use it.
    Containerd,
    /// Docker Engine.
    Docker,
    /// CRI-O.
    Crio,
    /// Podman, and with it Buildah and skopeo.
    Podman,
}

impl Runtime {
    /// The name of the set of files that the runtime reads. CRI-O and Podman share theirs.
    pub(super) fn files(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Crio | Self::Podman => "containers",
        }
    }

    /// The command that makes the runtime read `changed`, if it does not do so by itself.
    pub(super) fn command_after<'a>(
        self,
        mut changed: impl Iterator<Item = &'a Path>,
    ) -> Option<&'static str> {
        // Read at each pull, by containerd and by Docker.
        let is_main = |path: &Path| path.file_name().is_none_or(|name| name != "hosts.toml");
        match self {
            Self::Containerd => changed.any(is_main).then_some("systemctl restart containerd"),
            Self::Docker => changed.any(is_main).then_some("systemctl reload docker"),
            Self::Crio => changed.next().map(|_| "systemctl reload crio"),
            Self::Podman => None,
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Crio => "crio",
            Self::Podman => "podman",
        })
    }
}
