//! Docker Engine: `daemon.json`, and `hosts.toml` where its version and its image store read that.

mod daemon;
mod folders;

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    RUNTIME,
    at::Relation,
    found::{Files, Found, found},
    hosts_file::{HostsFile, said},
    site::Site,
    unit,
    version::{self, Version},
};
use crate::{
    configure::{
        ConfigureError, Root,
        reading::{
            DOCKER_CONFIG, DOCKER_FOLDER, View, flag_file, parse_daemon, says_containerd_store, texts,
        },
    },
    doctor::{Check, Context, Finding, Outcome},
};

pub(in crate::doctor) const CHECKS: &[Check] = &[
    CONFIG,
    daemon::MIRROR,
    daemon::TWICE,
    daemon::URL,
    daemon::PORT,
    daemon::ORDER,
    daemon::PROXY,
    daemon::STALE,
    folders::UNREAD,
    folders::FAULTS,
    folders::HIDDEN,
    folders::INSECURE,
];

const ID: &str = "docker-config";
/// The first version that reads `hosts.toml`, with containerd's image store.
const READS_HOSTS: Version = Version::new(28, 0);
/// The first version that may have that store without being told.
const MAY_HAVE_STORE: Version = Version::new(29, 0);

const CONFIG: Check = Check {
    id: ID,
    title: "Docker's configuration can be read",
    why: "Docker does not start with a daemon.json that it can't read.",
    mend: "Correct the line that the finding names.",
    probe: |context| {
        Box::pin(async move {
            match &*found::<Docker>(&context).await {
                Found::Absent(reason) => Outcome::skipped(*reason),
                Found::Unreadable(what) => {
                    let finding = Finding::new(what.clone(), "Correct that, then have Docker look at it.");
                    Outcome::wrong(
                        finding
                            .run_on("dockerd --validate --config-file {}", &context.on_disk(DOCKER_CONFIG)),
                    )
                }
                Found::Here(docker) => Outcome::well(docker.name()),
            }
        })
    },
    ..RUNTIME
};

/// A Docker Engine as its files make it.
pub(in crate::doctor) struct Docker {
    site: Site,
    version: Option<Version>,
    /// `daemon.json`.
    daemon: Map<String, Value>,
    /// The `hosts.toml` files, whether it reads them or not.
    hosts: Vec<HostsFile>,
    /// The file by which it is started with a mirror in its flags.
    flag_file: Option<std::path::PathBuf>,
    /// `HTTP_PROXY` and the like, as its service and `daemon.json` set them.
    environment: Vec<(String, String)>,
}

/// Whether Docker is on this host.
pub(super) fn is_here(root: &Root) -> bool {
    version::find_program(root, "dockerd").is_some() || root.on_disk(Path::new(DOCKER_CONFIG)).exists()
}

impl Files for Docker {
    const UNREADABLE: &'static str = "Docker's configuration can't be read";

    async fn look(context: &Context) -> Found<Self> {
        let root = context.root();
        if !is_here(root) {
            return Found::Absent("Docker is not on this host");
        }
        let version = version::ask(root, &["dockerd", "docker"]).await;
        match Self::load(&Site::of(context), version) {
            Ok(docker) => Found::Here(Box::new(docker)),
            Err(error) => Found::Unreadable(said(&error)),
        }
    }

    fn is_told(&self) -> bool {
        self.entry().is_some() || self.hosts.iter().any(|file| file.position_of(self.site.mirror).is_some())
    }
}

impl Docker {
    fn load(site: &Site, version: Option<Version>) -> Result<Self, ConfigureError> {
        let view = View::as_is(&site.root);
        let path = Path::new(DOCKER_CONFIG);
        let daemon = parse_daemon(path, &view.read(path)?.unwrap_or_default())?;
        let mut environment = unit::environment(&view, "docker")?;
        // What daemon.json says wins over the environment.
        for (key, name) in
            [("http-proxy", "HTTP_PROXY"), ("https-proxy", "HTTPS_PROXY"), ("no-proxy", "NO_PROXY")]
        {
            if let Some(value) = daemon.get("proxies").and_then(|proxies| proxies.get(key)?.as_str()) {
                environment.insert(0, (name.to_owned(), value.to_owned()));
            }
        }
        Ok(Self {
            site: site.clone(),
            version,
            hosts: HostsFile::all(&view, Path::new(DOCKER_FOLDER))?,
            flag_file: flag_file(&view)?,
            daemon,
            environment,
        })
    }

    /// The program, with its version where that is known.
    fn name(&self) -> String {
        self.version.map_or_else(|| "Docker".to_owned(), |version| format!("Docker {version}"))
    }

    /// Its mirrors of Docker Hub.
    fn mirrors(&self) -> Vec<&str> {
        texts(&self.daemon, "registry-mirrors")
    }

    /// Whether it reads `hosts.toml`; `None` where that can't be told from its files.
    fn reads_hosts(&self) -> Option<bool> {
        let is_told = self.daemon.get("features").and_then(|features| features.get("containerd-snapshotter"));
        match (self.version, is_told) {
            (Some(version), _) if version < READS_HOSTS => Some(false),
            (_, Some(_)) if !says_containerd_store(&self.daemon) => Some(false),
            (Some(_), Some(_)) => Some(true),
            (Some(version), None) if version < MAY_HAVE_STORE => Some(false),
            _ => None,
        }
    }

    /// The address of the mirror among those of Docker Hub's.
    fn entry(&self) -> Option<&str> {
        self.mirrors().into_iter().find(|address| self.site.mirror.relation(address) == Relation::Mirror)
    }

    /// A registry whose images come through the mirror.
    pub(in crate::doctor) fn canary_place(&self) -> Option<String> {
        if self.entry().is_some() {
            return Some("docker.io/library".to_owned());
        }
        let mut files = self.hosts.iter().filter(|file| file.position_of(self.site.mirror).is_some());
        files.next().filter(|_| self.reads_hosts() != Some(false)).map(HostsFile::registry_name)
    }
}
