//! Real Docker daemons, each with its own folders, socket and containerd.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::json;

use crate::{
    containerd::{self, Containerd, Origin, Version as ContainerdVersion},
    hub::Hub,
    process::{Process, run},
    scratch::Scratch,
    unpacked::Source,
};

const START_WITHIN: Duration = Duration::from_secs(60);
const PULL_WITHIN: Duration = Duration::from_secs(180);
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
/// The client of every daemon: an old one speaks to newer daemons.
const CLIENT: Source = Source::Bookworm;

/// The versions that the tests know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 20.10.
    V20_10,
    /// 26.1.
    V26_1,
    /// 28.5.
    V28_5,
}

/// Where a daemon keeps images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Docker's own.
    Classic,
    /// containerd's.
    Containerd,
}

/// How a daemon is told of the mirror.
#[derive(Clone, Debug)]
pub enum Told {
    /// By `registry-mirrors`, for Docker Hub only.
    Mirrors {
        /// What stands for Docker Hub.
        hub: Hub,
    },
    /// By `hosts.toml` files in `/etc/docker/certs.d`.
    Hosts {
        /// The registries, and where they are.
        origins: Vec<Origin>,
    },
}

/// A running daemon. Dropping it ends it and its containerd.
#[derive(Debug)]
pub struct Docker {
    version: Version,
    process: Process,
    socket: PathBuf,
    /// Ends after the daemon.
    _containerd: Containerd,
    scratch: Scratch,
}

impl Docker {
    /// Starts a daemon that pulls from `mirror` first.
    pub async fn start(version: Version, store: Store, told: &Told, mirror: SocketAddr) -> Self {
        let scratch = Scratch::new("docker");
        let socket = scratch.run().join("docker.sock");
        let settings = settings(version, told, mirror);
        settings.write_hosts(&scratch.data().join("etc/docker/certs.d"));
        let containerd = Containerd::start_with(&settings).await;

        let mut command = daemon(version, &scratch);
        let config = scratch.data().join("daemon.json");
        fs::write(&config, configuration(store, told, mirror)).expect("the daemon's configuration");
        command.arg("--config-file").arg(config).arg("--containerd").arg(containerd.socket());
        command.arg("--data-root").arg(scratch.data().join("data"));
        command.arg("--exec-root").arg(scratch.run().join("exec"));
        command.arg("--pidfile").arg(scratch.run().join("docker.pid"));
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        if let Told::Mirrors { hub } = told {
            hub.stands_in_for(&mut command);
        }
        let process = Process::spawn("dockerd", command, &scratch.data().join("dockerd.log"));
        let mut docker = Self { version, process, socket, _containerd: containerd, scratch };
        docker.wait_ready().await;
        docker
    }

    /// Pulls and unpacks an image.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn pull(&self, reference: &str) -> Result<(), String> {
        run(self.client(&["pull", "--quiet", reference]), PULL_WITHIN).await.map(drop)
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.version.source().command("dockerd").get_program().into()
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.scratch.data().join("daemon.json")
    }

    /// The folder that it takes for `/etc/docker/certs.d`.
    pub fn hosts(&self) -> PathBuf {
        self.scratch.data().join("etc/docker/certs.d")
    }

    /// The names of its images.
    pub async fn images(&self) -> Vec<String> {
        let command = self.client(&["images", "--all", "--format", "{{.Repository}}:{{.Tag}}"]);
        let printed = run(command, COMMAND_WITHIN).await.expect("a list of images");
        printed.lines().map(str::to_owned).collect()
    }

    /// The version that it says it is, as `28.5.2`.
    pub async fn exact_version(&self) -> String {
        let command = self.client(&["version", "--format", "{{.Server.Version}}"]);
        let printed = run(command, COMMAND_WITHIN).await.expect("the daemon's version");
        printed.trim().split(['~', '+']).next().unwrap_or_default().to_owned()
    }

    fn client(&self, arguments: &[&str]) -> Command {
        client_of(&self.socket, &self.scratch.data().join("client"), arguments)
    }

    async fn wait_ready(&mut self) {
        let (client, socket) = (self.scratch.data().join("client"), self.socket.clone());
        let answers = async || run(client_of(&socket, &client, &["version"]), COMMAND_WITHIN).await.ok();
        self.process.ready(START_WITHIN, answers).await;
    }
}

impl Version {
    fn source(self) -> Source {
        match self {
            Self::V20_10 => Source::Bookworm,
            Self::V26_1 => Source::Trixie,
            Self::V28_5 => Source::Sid,
        }
    }

    /// The containerd of its time.
    fn containerd(self) -> ContainerdVersion {
        match self {
            Self::V20_10 => ContainerdVersion::V1_6,
            Self::V26_1 => ContainerdVersion::V1_7,
            Self::V28_5 => ContainerdVersion::V2_1,
        }
    }
}

fn client_of(socket: &Path, config: &Path, arguments: &[&str]) -> Command {
    let mut command = CLIENT.command("docker");
    command.env("DOCKER_CONFIG", config);
    command.arg("--host").arg(format!("unix://{}", socket.display())).args(arguments);
    command
}

fn settings(version: Version, told: &Told, mirror: SocketAddr) -> containerd::Settings {
    let origins = match told {
        Told::Mirrors { .. } => Vec::new(),
        Told::Hosts { origins } => origins.clone(),
    };
    containerd::Settings {
        version: version.containerd(),
        form: containerd::Form::Hosts,
        puller: containerd::Puller::Default,
        mirror: Some(mirror),
        origins,
    }
}

fn configuration(store: Store, told: &Told, mirror: SocketAddr) -> String {
    let mut settings = json!({});
    if store == Store::Containerd {
        settings["features"] = json!({ "containerd-snapshotter": true });
    }
    if let Told::Mirrors { .. } = told {
        settings["registry-mirrors"] = json!([format!("http://{mirror}")]);
    }
    settings.to_string()
}

/// The daemon, in a mount namespace of its own: what the scratch folder has in `etc` lies over the machine's `/etc` there,
/// as the folder of the `hosts.toml` files can't be configured.
fn daemon(version: Version, scratch: &Scratch) -> Command {
    let folder = |name: &str| {
        let folder = scratch.data().join(name);
        fs::create_dir_all(&folder).expect("a folder for the daemon");
        folder
    };
    let (upper, work) = (folder("etc"), folder("etc.work"));
    let daemon = version.source().command("dockerd");
    let mut command = Command::new("unshare");
    command.envs(daemon.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
    command.arg(
        "mount -t overlay overlay -o \"lowerdir=/etc,upperdir=$1,workdir=$2\" /etc; shift 2; exec \"$@\"",
    );
    command.arg("sh").args([upper.as_path(), work.as_path(), Path::new(daemon.get_program())]);
    command
}
