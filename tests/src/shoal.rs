//! Nodes of Shoal: the binary as a user runs it, with a file as its configuration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use serde_json::Value;

use crate::{
    http::{self, Body},
    image::Descriptor,
    metrics::Metrics,
    ports::free_address,
    process::{Process, Signal, run},
    stored::{Image, REGISTRY_HOST},
    wait::eventually,
};

const START_WITHIN: Duration = Duration::from_secs(60);
const COMMAND_WITHIN: Duration = Duration::from_secs(30);
const KEEP_WITHIN: Duration = Duration::from_secs(30);
/// Longer than a node lets running pulls go on.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `shoal seed`.
    Seed,
    /// `shoal peer`.
    Peer,
}

/// What a node is told.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it is.
    pub role: Role,
    /// File with the cluster key.
    pub cluster_key: PathBuf,
    /// Nodes to meet first.
    pub bootstrap: Vec<SocketAddr>,
    /// The registries.
    pub registries: Vec<Origin>,
    /// Whether it logs every request to its mirror, for [`Node::mirror_requests`].
    pub log_requests: bool,
}

/// A registry, as a node is told of it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name in image references.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
    /// The user, and the file with the password.
    pub login: Option<(String, PathBuf)>,
    /// Whether a client needs a login of its own for what is there.
    pub for_own_logins: bool,
}

impl Origin {
    /// A registry without a login.
    pub fn open(host: &str, address: SocketAddr) -> Self {
        Self { host: host.to_owned(), address, login: None, for_own_logins: false }
    }

    fn to_toml(&self) -> String {
        let mut text =
            format!("[[registry]]\nhost = '{}'\nendpoints = ['http://{}']\n", self.host, self.address);
        if let Some((user, file)) = &self.login {
            text += &format!("username = '{user}'\npassword_file = '{}'\n", file.display());
        }
        text
    }
}

/// What a runtime asked a mirror for, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorRequest {
    /// The path.
    pub path: String,
    /// How the mirror names the end: `Served`, `Broken("interrupted")`, `HandedOver("not_here")`, …
    pub outcome: String,
    /// Content that was sent.
    pub sent_bytes: u64,
}

impl MirrorRequest {
    /// Reads a line of a node's log in JSON.
    fn parse(line: &str) -> Option<Self> {
        let fields: Value = serde_json::from_str(line).ok()?;
        Some(Self {
            path: fields["asked"].as_str()?.to_owned(),
            outcome: fields["outcome"].as_str()?.to_owned(),
            sent_bytes: fields["sent_bytes"].as_u64()?,
        })
    }
}

/// A running node. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    name: String,
    role: Role,
    folder: PathBuf,
    mirror: SocketAddr,
    swarm: SocketAddr,
    lane: SocketAddr,
    admin: SocketAddr,
    process: Process,
}

impl Node {
    /// Starts a node with its files in a new folder below `parent`, and waits until it is ready.
    pub async fn start(name: &str, setup: &Setup, parent: &Path) -> Self {
        let mut node = Self::launch(name, setup, parent);
        node.wait_ready().await;
        node
    }

    /// Starts a node that may never be ready, and waits until it answers at all.
    pub async fn start_unready(name: &str, setup: &Setup, parent: &Path) -> Self {
        let mut node = Self::launch(name, setup, parent);
        node.answers("healthz").await;
        node
    }

    /// Where its runtime pulls.
    pub fn mirror(&self) -> SocketAddr {
        self.mirror
    }

    /// Where other nodes meet it.
    pub fn swarm(&self) -> SocketAddr {
        self.swarm
    }

    /// Where other nodes send pieces.
    pub fn lane(&self) -> SocketAddr {
        self.lane
    }

    /// Where it tells of itself.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its name in the test.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, after a kill or a stop, with the same files and addresses.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.name, self.role, &self.folder);
        self.wait_ready().await;
    }

    /// Adds lines to its configuration, for when it starts again.
    pub fn tell(&self, lines: &str) {
        let file = self.folder.join("shoal.toml");
        let text = fs::read_to_string(&file).expect("its configuration");
        fs::write(&file, text + lines).expect("its configuration");
    }

    /// Asks it to stop, and waits.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.signal(Signal::Term);
        self.process.ended(STOP_WITHIN).await
    }

    /// What runtimes asked its mirror for so far; a request is logged when it has ended.
    ///
    /// Empty when the node was not told to log requests.
    pub fn mirror_requests(&self) -> Vec<MirrorRequest> {
        self.process.output().lines().filter_map(MirrorRequest::parse).collect()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// What it counts.
    pub async fn metrics(&self) -> Metrics {
        Metrics::new(self.page("metrics").await)
    }

    /// What it says of itself.
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.page("api/v1/status").await).expect("a status in JSON")
    }

    /// Its copy of a complete blob on disk, wherever in its folder it keeps it; waits until it is durable, which is
    /// after a runtime has had all of it.
    pub async fn blob_file(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a SHA-256 digest");
        let what = format!("a file of {digest} at {}", self.name);
        eventually(&what, KEEP_WITHIN, async || find(&self.folder, hex)).await
    }

    /// The address of a blob at its mirror, as containerd asks for it.
    pub fn blob_url(&self, image: &Image, blob: &Descriptor) -> String {
        self.url(&format!("{}/blobs/{}", image.repository, blob.digest))
    }

    /// The address of something at its mirror.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}?ns={}", self.mirror, REGISTRY_HOST.replace(':', "%3A"))
    }

    /// Gets a blob through its mirror, as a runtime would, and forgets the bytes.
    ///
    /// # Errors
    /// When it gives no blob, with what it answered; a blob that ends early is a [`Body`] that says so.
    pub async fn get_blob(&self, image: &Image, blob: &Descriptor) -> Result<Body, String> {
        let response = http::client().get(self.blob_url(image, blob)).send().await;
        let response = response.map_err(|error| format!("{error:?}"))?;
        if response.status() != 200 {
            return Err(format!("{}: {}", response.status(), response.text().await.unwrap_or_default()));
        }
        Ok(http::drain(response).await)
    }

    fn launch(name: &str, setup: &Setup, parent: &Path) -> Self {
        let folder = parent.join(name);
        fs::create_dir_all(&folder).expect("a folder for a node");
        let [mirror, swarm, lane, admin] = std::array::from_fn(|_| free_address());
        let listen = [("mirror", mirror), ("swarm", swarm), ("lane", lane), ("admin", admin)];
        fs::write(folder.join("shoal.toml"), configuration(setup, &folder, listen)).expect("a configuration");
        let process = spawn(name, setup.role, &folder);
        Self { name: name.to_owned(), role: setup.role, folder, mirror, swarm, lane, admin, process }
    }

    async fn page(&self, page: &str) -> String {
        let response = http::client().get(format!("http://{}/{page}", self.admin)).send().await;
        let response = response.unwrap_or_else(|error| panic!("{}: no {page}: {error:?}", self.name));
        response.text().await.expect("a page of text")
    }

    async fn wait_ready(&mut self) {
        self.answers("readyz").await;
    }

    async fn answers(&mut self, page: &str) {
        let url = format!("http://{}/{page}", self.admin);
        let client = http::client();
        let good = async || client.get(&url).send().await.ok().filter(|answer| answer.status() == 200);
        self.process.ready(START_WITHIN, good).await;
    }
}

/// The binary under test: `SHOAL_BIN`, else the one that was built beside this test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SHOAL_BIN") {
        return path.into();
    }
    let executable = std::env::current_exe().expect("the path of this test binary");
    let binary =
        executable.ancestors().nth(2).expect("a test binary lies in target/PROFILE/deps").join("shoal");
    assert!(binary.exists(), "no {}: build it first, as tests/run does", binary.display());
    binary
}

/// Makes a cluster key in a file in `folder`.
pub async fn new_cluster_key(folder: &Path, name: &str) -> PathBuf {
    let mut command = Command::new(binary());
    command.args(["key", "new"]);
    let key = run(command, COMMAND_WITHIN).await.expect("shoal key new");
    let file = folder.join(name);
    fs::write(&file, key).expect("a file for the cluster key");
    file
}

fn spawn(name: &str, role: Role, folder: &Path) -> Process {
    let mut command = Command::new(binary());
    command.arg(match role {
        Role::Seed => "seed",
        Role::Peer => "peer",
    });
    command.arg("--config").arg(folder.join("shoal.toml"));
    Process::spawn(name, command, &folder.join("shoal.log"))
}

fn configuration(setup: &Setup, folder: &Path, listen: [(&str, SocketAddr); 4]) -> String {
    let mut text = format!(
        "data_dir = '{}'\ncluster_key_file = '{}'\nzone = 'a'\n",
        folder.join("data").display(),
        setup.cluster_key.display()
    );
    for (section, address) in listen {
        text += &format!("[{section}]\nlisten = '{address}'\n");
        if section == "swarm" {
            let bootstrap: Vec<String> = setup.bootstrap.iter().map(|node| format!("'{node}'")).collect();
            text += &format!("bootstrap = [{}]\n", bootstrap.join(", "));
        }
    }
    if setup.log_requests {
        text += "[log]\nformat = 'json'\nlevel = 'info,shoal_peer::mirror=debug'\n";
    }
    let for_own_logins: Vec<String> = setup
        .registries
        .iter()
        .filter(|origin| origin.for_own_logins)
        .map(|origin| format!("'{}'", origin.host))
        .collect();
    text += &format!("[access]\nclient = [{}]\n", for_own_logins.join(", "));
    text.extend(setup.registries.iter().map(Origin::to_toml));
    text
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = || fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let here = folder.join(name);
    if here.is_file() {
        Some(here)
    } else {
        entries().filter(|path| path.is_dir()).find_map(|path| find(&path, name))
    }
}
