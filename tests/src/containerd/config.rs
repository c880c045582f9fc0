//! What a containerd of the tests is told, in the words of its version.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path};

use crate::{scratch::Scratch, stored::REGISTRY_HOST, unpacked::Source};

/// The versions that the tests know, by their differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 1.6, as installed on the machine.
    V1_6,
    /// 1.7.
    V1_7,
    /// 2.1.
    V2_1,
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V1_6, Self::V1_7, Self::V2_1];

    pub(super) fn source(self) -> Source {
        match self {
            Self::V1_6 => Source::Machine,
            Self::V1_7 => Source::Trixie,
            Self::V2_1 => Source::Sid,
        }
    }

    /// The plugin that pulls for the kubelet.
    fn images_plugin(self) -> &'static str {
        match self {
            Self::V1_6 | Self::V1_7 => "io.containerd.grpc.v1.cri",
            Self::V2_1 => "io.containerd.cri.v1.images",
        }
    }
}

/// How it is told of mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder with a `hosts.toml` for each registry.
    Hosts,
    /// `registry.mirrors` in its own configuration, as before 1.5.
    Mirrors,
}

/// How 2.1 pulls for the kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Puller {
    /// As it does by itself; before 2.0 there is nothing else.
    Default,
    /// Not by its transfer service.
    Local,
    /// A layer by several requests at a time.
    Parallel,
}

/// A registry that images name, and where it is.
pub type Origin = (String, SocketAddr);

/// What a containerd is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which one it is.
    pub version: Version,
    /// How it is told of mirrors.
    pub form: Form,
    /// How it pulls.
    pub puller: Puller,
    /// Where it pulls first.
    pub mirror: Option<SocketAddr>,
    /// The registries that it has to go to then.
    pub origins: Vec<Origin>,
}

impl Settings {
    /// The machine's own containerd, with a `hosts.toml` for the tests' registry.
    pub fn new(mirror: Option<SocketAddr>, origin: SocketAddr) -> Self {
        Self {
            version: Version::V1_6,
            form: Form::Hosts,
            puller: Puller::Default,
            mirror,
            origins: vec![(REGISTRY_HOST.to_owned(), origin)],
        }
    }

    /// Writes `hosts.toml` for each registry, as a user would: the mirror first, the registry itself as the server.
    pub fn write_hosts(&self, folder: &Path) {
        for (host, origin) in &self.origins {
            let folder = folder.join(host);
            fs::create_dir_all(&folder).expect("a folder for hosts.toml");
            // containerd 1.6 refuses a file without a host.
            let first = self.mirror.unwrap_or(*origin);
            let text = format!(
                "server = \"http://{origin}\"\n[host.\"http://{first}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
            );
            fs::write(folder.join("hosts.toml"), text).expect("hosts.toml");
        }
    }

    /// Its configuration.
    pub(super) fn to_toml(&self, scratch: &Scratch, socket: &Path, hosts: &Path) -> String {
        let mut text = general(self.version, scratch, socket);
        let plugin = self.version.images_plugin();
        match self.puller {
            Puller::Default => {}
            Puller::Local => {
                let _ = writeln!(text, "[plugins.'{plugin}']\nuse_local_image_pull = true");
            }
            // The transfer service has the options of its own plugin, and CRI passes its own to it.
            Puller::Parallel => {
                let options =
                    format!("concurrent_layer_fetch_buffer = {CHUNK_BYTES}\nmax_concurrent_downloads = 4");
                let _ = writeln!(text, "[plugins.'{plugin}']\n{options}");
                let _ = writeln!(text, "[plugins.'io.containerd.transfer.v1.local']\n{options}");
            }
        }
        match self.form {
            Form::Hosts => {
                let _ = writeln!(text, "[plugins.'{plugin}'.registry]\nconfig_path = '{}'", hosts.display());
            }
            Form::Mirrors => {
                for (host, origin) in &self.origins {
                    let endpoints = self.mirror.into_iter().chain([*origin]);
                    let endpoints: Vec<_> =
                        endpoints.map(|endpoint| format!("'http://{endpoint}'")).collect();
                    let section = format!("plugins.'{plugin}'.registry.mirrors.'{host}'");
                    let _ = writeln!(text, "[{section}]\nendpoint = [{}]", endpoints.join(", "));
                }
            }
        }
        text
    }
}

/// What one request of a parallel fetch asks for; small, so that the layers of the tests take several.
const CHUNK_BYTES: usize = 512 * 1024;

/// Content is isolated by namespace, so that a pull over CRI really pulls what `ctr` pulled before.
fn general(version: Version, scratch: &Scratch, socket: &Path) -> String {
    let format = if version == Version::V2_1 { 3 } else { 2 };
    let mut text = format!(
        "version = {format}
root = '{root}'
state = '{state}'
[grpc]
address = '{socket}'
[ttrpc]
address = '{socket}.ttrpc'
[plugins.'io.containerd.metadata.v1.bolt']
content_sharing_policy = 'isolated'
[plugins.'io.containerd.internal.v1.opt']
path = '{root}/opt'
",
        root = scratch.data().join("root").display(),
        state = scratch.run().join("state").display(),
        socket = socket.display(),
    );
    if version == Version::V2_1 {
        // It would listen where every containerd of the machine does, and end when another one is there already.
        text += "[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n";
    }
    text
}
