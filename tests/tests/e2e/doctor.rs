//! `shoal doctor` beside real runtimes: a canary comes through Shoal, or the doctor says that it did not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use shoal_tests::{
    containerd::{Client, Containerd, Form, Puller, Settings, Version},
    docker::{self, Docker, Store, Told},
    hub::Hub,
    path_prefixed::{Generation, PathPrefixed, Tool},
    ports::free_address,
    process::finish,
    scratch::Scratch,
    shoal::{Node, Origin, Role, Setup, binary, new_cluster_key},
    stored::{PLAIN_REGISTRY_HOST, REGISTRY_HOST},
};

const WITHIN: Duration = Duration::from_secs(60);

/// A host with a node on it. What the doctor takes for its files are copies of those that the runtime reads.
struct Host {
    scratch: Scratch,
    node: Node,
}

impl Host {
    async fn start() -> Self {
        let scratch = Scratch::new("doctor");
        let setup = Setup {
            role: Role::Seed,
            cluster_key: new_cluster_key(scratch.data(), "cluster.key").await,
            bootstrap: Vec::new(),
            registries: vec![Origin::open(REGISTRY_HOST, free_address())],
            log_requests: false,
        };
        let node = Node::start("node", &setup, scratch.data()).await;
        Self { scratch, node }
    }

    /// Where a path of this host is. The folder's own path is short, as sockets are below it.
    fn path(&self, path: &Path) -> PathBuf {
        let path = self.scratch.run().join(path.strip_prefix("/").unwrap_or(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn copy(&self, from: &Path, to: &Path) {
        if from.is_dir() {
            for entry in fs::read_dir(from).unwrap() {
                let name = entry.unwrap().file_name();
                self.copy(&from.join(&name), &to.join(&name));
            }
        } else {
            fs::copy(from, self.path(to)).unwrap();
        }
    }

    fn link(&self, from: &Path, to: &Path) {
        symlink(from, self.path(to)).unwrap();
    }

    /// What the doctor finds in one check, and how long all that it looked at took it.
    async fn examine(&self, check: &str) -> Value {
        let mut command = Command::new(binary());
        command.args(["doctor", check, "--json", "--root"]).arg(self.scratch.run());
        command.arg("--config").arg(self.scratch.data().join("node/shoal.toml"));
        let finished = finish(command, WITHIN).await.unwrap();
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
        println!("{check}: {} ms for all", report["took_ms"]);
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|found| found["id"] == check).unwrap_or_else(|| panic!("{finished:?}")).clone()
    }

    /// A canary that has to come through.
    async fn comes_through(&self, check: &str) {
        let found = self.examine(check).await;
        assert_eq!(found["state"], "ok", "{found:#}");
        let measured = found["measured"].as_str().unwrap();
        assert!(measured.contains("came through Shoal in"), "{measured}");
        println!("{measured}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_has_every_containerd_pull_through_shoal() {
    let host = Host::start().await;
    for (version, form) in [
        (Version::V1_6, Form::Hosts),
        (Version::V1_6, Form::Mirrors),
        (Version::V1_7, Form::Hosts),
        (Version::V2_1, Form::Hosts),
    ] {
        let containerd = containerd(&host, version, form).await;
        println!("containerd {} {form:?}", containerd.exact_version().await);
        host.comes_through("containerd-canary").await;
        assert_eq!(containerd.content(Client::Cri).await, Vec::<String>::new(), "the image was left");

        if form == Form::Hosts {
            goes_past(&host, &containerd).await;
        }
        fs::remove_dir_all(host.path(Path::new("etc"))).unwrap();
        fs::remove_dir_all(host.path(Path::new("usr"))).unwrap();
        fs::remove_file(host.path(containerd.socket())).unwrap();
    }
}

/// The mirror is taken out of what containerd reads, and then out of what the doctor sees, too.
async fn goes_past(host: &Host, containerd: &Containerd) {
    let file = Path::new(REGISTRY_HOST).join("hosts.toml");
    let text = fs::read_to_string(containerd.hosts().join(&file)).unwrap();
    let without = text.replace(&host.node.mirror().to_string(), &free_address().to_string());
    fs::write(containerd.hosts().join(&file), &without).unwrap();
    let found = host.examine("containerd-canary").await;
    assert_eq!(found["state"], "found", "{found:#}");
    let what = found["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("did not ask Shoal; it said: "), "{what}");

    host.copy(containerd.hosts(), containerd.hosts());
    let found = host.examine("containerd-hosts-port").await;
    assert_eq!(found["state"], "found", "{found:#}");
}

async fn containerd(host: &Host, version: Version, form: Form) -> Containerd {
    let settings = Settings {
        version,
        form,
        puller: Puller::Default,
        mirror: Some(host.node.mirror()),
        origins: vec![(REGISTRY_HOST.to_owned(), free_address())],
    };
    let containerd = Containerd::start_with(&settings).await;
    host.copy(&containerd.config(), Path::new("/etc/containerd/config.toml"));
    host.copy(containerd.hosts(), containerd.hosts());
    host.link(containerd.socket(), containerd.socket());
    host.link(&containerd.program(), Path::new("/usr/bin/containerd"));
    containerd
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_has_every_docker_pull_through_shoal() {
    let host = Host::start().await;
    let hub = Hub::start(&host.path(Path::new("/storage/none")), host.scratch.data()).await;
    let mirrors = || Told::Mirrors { hub: hub.clone() };
    let hosts = Told::Hosts { origins: vec![(REGISTRY_HOST.to_owned(), free_address())] };
    for (version, store, told) in [
        (docker::Version::V20_10, Store::Classic, mirrors()),
        (docker::Version::V26_1, Store::Containerd, mirrors()),
        (docker::Version::V28_5, Store::Classic, mirrors()),
        (docker::Version::V28_5, Store::Containerd, hosts),
    ] {
        let docker = Docker::start(version, store, &told, host.node.mirror()).await;
        println!("Docker {} {store:?}", docker.exact_version().await);
        host.copy(&docker.config(), Path::new("/etc/docker/daemon.json"));
        if let Told::Hosts { .. } = told {
            host.copy(&docker.hosts(), Path::new("/etc/docker/certs.d"));
        }
        host.link(docker.socket(), Path::new("/run/docker.sock"));
        host.link(&docker.program(), Path::new("/usr/bin/dockerd"));
        host.comes_through("docker-canary").await;
        assert_eq!(docker.images().await, Vec::<String>::new(), "the image was left");
        has_read(&host, matches!(told, Told::Mirrors { .. })).await;
        for folder in ["etc", "usr", "run"] {
            fs::remove_dir_all(host.path(Path::new(folder))).unwrap();
        }
    }
}

/// Whether what is in `daemon.json` by now is what the daemon was started with.
async fn has_read(host: &Host, is_old: bool) {
    let daemon = format!("{{ \"registry-mirrors\": [\"http://{}\"] }}", host.node.mirror());
    fs::write(host.path(Path::new("/etc/docker/daemon.json")), daemon).unwrap();
    let found = host.examine("docker-stale").await;
    assert_eq!(found["state"], if is_old { "ok" } else { "found" }, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_has_podman_pull_through_shoal() {
    for generation in [Generation::Bookworm, Generation::Trixie] {
        let host = Host::start().await;
        let origins = [(PLAIN_REGISTRY_HOST.to_owned(), free_address())];
        let podman = PathPrefixed::new(Tool::Podman, generation, host.node.mirror(), &origins);
        println!("Podman {}", podman.exact_version().await);
        host.copy(&podman.registries(), Path::new("/etc/containers/registries.conf"));
        let program = host.path(Path::new("/usr/bin/podman"));
        fs::write(&program, podman.script()).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        host.comes_through("containers-canary").await;
    }
}
