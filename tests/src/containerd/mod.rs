//! Real containerds, each with its own root, state, socket and configuration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

mod config;

pub use self::config::{Form, Origin, Puller, Settings, Version};
use crate::{
    cri::{CriImages, Login},
    process::{Process, run},
    scratch::Scratch,
};

const START_WITHIN: Duration = Duration::from_secs(60);
/// Longer than any pull of the tests takes on a loaded machine, and shorter than what a user would call stuck.
const PULL_WITHIN: Duration = Duration::from_secs(180);
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
/// The namespace that the CRI service, and so the kubelet, works in.
const CRI_NAMESPACE: &str = "k8s.io";

/// How a user reaches containerd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `ctr --hosts-dir`.
    Ctr,
    /// The CRI service, as the kubelet does.
    Cri,
}

/// A running containerd. Dropping it ends it and the shims it started.
#[derive(Debug)]
pub struct Containerd {
    version: Version,
    process: Process,
    socket: PathBuf,
    hosts: PathBuf,
    /// Last: its folders go when the process is gone.
    scratch: Scratch,
}

impl Containerd {
    /// Starts one that pulls the tests' registry from `mirror` first, if there is one, and then from `origin`.
    pub async fn start(mirror: Option<SocketAddr>, origin: SocketAddr) -> Self {
        Self::start_with(&Settings::new(mirror, origin)).await
    }

    /// Starts one that was told this.
    pub async fn start_with(settings: &Settings) -> Self {
        let scratch = Scratch::new("containerd");
        let hosts = scratch.data().join("certs.d");
        let socket = scratch.run().join("containerd.sock");
        let config = scratch.data().join("config.toml");
        settings.write_hosts(&hosts);
        fs::write(&config, settings.to_toml(&scratch, &socket, &hosts)).expect("containerd's configuration");

        let version = settings.version;
        let mut command = version.source().command("containerd");
        command.arg("--config").arg(config);
        let process = Process::spawn("containerd", command, &scratch.data().join("containerd.log"));
        let mut containerd = Self { version, process, socket, hosts, scratch };
        containerd.wait_ready().await;
        containerd
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        let command = self.version.source().command("containerd");
        let program = PathBuf::from(command.get_program());
        if program.is_absolute() { program } else { Path::new("/usr/bin").join(program) }
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.scratch.data().join("config.toml")
    }

    /// The folder with its `hosts.toml` files.
    pub fn hosts(&self) -> &Path {
        &self.hosts
    }

    /// The version that it says it is, as `1.6.20`.
    pub async fn exact_version(&self) -> String {
        let mut command = self.version.source().command("containerd");
        command.arg("--version");
        let printed = run(command, COMMAND_WITHIN).await.expect("containerd's version");
        let version = printed.split_whitespace().nth(2).expect("a version");
        version.split(['~', '+']).next().unwrap_or(version).to_owned()
    }

    /// Its image service.
    pub fn cri(&self) -> CriImages {
        CriImages::new(self.socket.clone())
    }

    /// Pulls and unpacks an image.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn pull(&self, client: Client, reference: &str) -> Result<(), String> {
        match client {
            Client::Ctr => {
                let mut command = self.ctr(client, &["images", "pull", "--hosts-dir"]);
                command.arg(&self.hosts).arg(reference);
                run(command, PULL_WITHIN).await.map(drop)
            }
            Client::Cri => self.cri().pull(reference, None, PULL_WITHIN).await.map(drop),
        }
    }

    /// Pulls over CRI with a login in the request, as the kubelet does for a pod with a pull secret.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn pull_with(&self, login: &Login, reference: &str) -> Result<(), String> {
        self.cri().pull(reference, Some(login), PULL_WITHIN).await.map(drop)
    }

    /// Fetches all that a reference names, every platform, without unpacking it.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn fetch(&self, reference: &str) -> Result<(), String> {
        let mut command = self.ctr(Client::Ctr, &["content", "fetch", "--all-platforms", "--hosts-dir"]);
        command.arg(&self.hosts).arg(reference);
        run(command, PULL_WITHIN).await.map(drop)
    }

    /// Runs a container from an image that was pulled, to its end; returns what it printed.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn run(&self, client: Client, reference: &str, program: &[&str]) -> Result<String, String> {
        let name = format!("test-{}", fastrand::u64(..));
        let mut command = self.ctr(client, &["run", "--rm", "--net-host", reference, &name]);
        command.args(program);
        run(command, COMMAND_WITHIN).await
    }

    /// Removes an image and all content that only it uses.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn remove(&self, client: Client, reference: &str) -> Result<(), String> {
        match client {
            Client::Ctr => {
                run(self.ctr(client, &["images", "rm", "--sync", reference]), COMMAND_WITHIN).await.map(drop)
            }
            Client::Cri => self.cri().remove(reference).await,
        }
    }

    /// The digests of all content it has.
    pub async fn content(&self, client: Client) -> Vec<String> {
        let list = run(self.ctr(client, &["content", "ls", "--quiet"]), COMMAND_WITHIN).await;
        list.expect("a list of content").lines().map(str::to_owned).collect()
    }

    fn ctr(&self, client: Client, arguments: &[&str]) -> Command {
        let mut command = self.version.source().command("ctr");
        command.arg("--address").arg(&self.socket);
        if client == Client::Cri {
            command.args(["--namespace", CRI_NAMESPACE]);
        }
        command.args(arguments);
        command
    }

    async fn wait_ready(&mut self) {
        let cri = self.cri();
        self.process.ready(START_WITHIN, async || cri.status("nothing").await.ok()).await;
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.process.kill();
        // A shim outlives its containerd by design; its command line names the socket it reports to.
        for shim in shims_of(&self.socket) {
            let _ = Command::new("kill").args(["-KILL", &shim]).status();
        }
    }
}

fn shims_of(socket: &Path) -> Vec<String> {
    let socket = socket.display().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("containerd-shim") && line.contains(&socket)
        })
        .collect()
}
