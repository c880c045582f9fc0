//! Nodes of Shoal: the binary as a user runs it, with a file as its configuration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::RigError;

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For the runtime.
    pub mirror: SocketAddr,
    /// For other nodes.
    pub swarm: SocketAddr,
    /// For pieces.
    pub lane: SocketAddr,
    /// For health and metrics.
    pub admin: SocketAddr,
}

/// What a node is told.
#[derive(Clone, Debug)]
pub struct NodePlan<'a> {
    /// File with the cluster key.
    pub cluster_key: &'a Path,
    /// Where it listens.
    pub ports: Ports,
    /// The node to meet first.
    pub bootstrap: Option<SocketAddr>,
    /// The registry that seeds ask.
    pub origin: SocketAddr,
}

/// The files of a node, in a folder of its own.
#[derive(Clone, Debug)]
pub struct NodeFiles {
    /// Its configuration.
    pub config: PathBuf,
    /// What it prints.
    pub log: PathBuf,
}

impl NodePlan<'_> {
    /// Writes the configuration into `folder`, which is made, and where the node keeps its data.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, folder: &Path) -> Result<NodeFiles, RigError> {
        let config = folder.join("shoal.toml");
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&config, self.text(folder)));
        written.map_err(RigError::system(format!("write {}", config.display())))?;
        Ok(NodeFiles { config, log: folder.join("shoal.log") })
    }

    fn text(&self, folder: &Path) -> String {
        let Ports { mirror, swarm, lane, admin } = self.ports;
        let bootstrap = self.bootstrap.map(|node| format!("'{node}'")).unwrap_or_default();
        format!(
            "data_dir = '{}'\ncluster_key_file = '{}'\n\
             [mirror]\nlisten = '{mirror}'\n\
             [swarm]\nlisten = '{swarm}'\nbootstrap = [{bootstrap}]\n\
             [lane]\nlisten = '{lane}'\n\
             [admin]\nlisten = '{admin}'\n\
             [[registry]]\nhost = '{origin}'\nendpoints = ['http://{origin}']\n",
            folder.join("data").display(),
            self.cluster_key.display(),
            origin = self.origin
        )
    }
}

/// The program `shoal`: `named`, or the one beside this program.
///
/// # Errors
/// When it is not there.
pub fn shoal_binary(named: Option<&Path>) -> Result<PathBuf, RigError> {
    let beside = || std::env::current_exe().unwrap_or_default().with_file_name("shoal");
    let path = named.map_or_else(beside, Path::to_owned);
    if path.is_file() { Ok(path) } else { Err(RigError::NoShoal(path)) }
}

/// Makes a cluster key in `folder`.
///
/// # Errors
/// When `shoal key new` fails or the file can't be written.
pub fn new_cluster_key(shoal: &Path, folder: &Path) -> Result<PathBuf, RigError> {
    let made = Command::new(shoal).args(["key", "new"]).output();
    let made = made.map_err(RigError::system(format!("run {}", shoal.display())))?;
    if !made.status.success() {
        let output = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(RigError::Command { command: format!("{} key new", shoal.display()), output });
    }
    let file = folder.join("cluster.key");
    let written = fs::write(&file, made.stdout);
    written.map_err(RigError::system(format!("write {}", file.display())))?;
    Ok(file)
}
