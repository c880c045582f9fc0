//! Nodes as processes: the real ones, put together as `shoal` does it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shoal_peer::{
    config::{Admin, Config, InputFile, Lane, Mirror, Registry, Shutdown, Swarm},
    node::Node,
};
use shoal_protocol::membership::{ClusterKey, Role};

use super::other_side::{OtherSide, say, until_told_to_end};
use crate::cli::Failure;

/// A node that has not met the seed by then never will.
const MEETING: Duration = Duration::from_secs(20);

/// What a node is told.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Folder of its own
    #[arg(long)]
    folder: PathBuf,
    /// File with the cluster key
    #[arg(long)]
    key_file: PathBuf,
    /// Address of the seed; without, it is the seed
    #[arg(long)]
    seed: Option<SocketAddr>,
    /// Lanes without encryption, where the other node wants that too
    #[arg(long)]
    plaintext: bool,
}

/// Where a node is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reached {
    pub(super) mirror: SocketAddr,
    pub(super) swarm: SocketAddr,
}

/// Makes the key of a cluster in `folder`.
pub(super) fn make_key(folder: &Path) -> Result<PathBuf, Failure> {
    let mut root = [0; 32];
    getrandom::fill(&mut root)?;
    let path = folder.join("cluster.key");
    std::fs::write(&path, ClusterKey::from_root(root).to_text())?;
    Ok(path)
}

/// Starts a node with its data in `folder`, a seed unless it is to know one; with `plaintext`, its lanes do without
/// encryption where the other node wants that too.
pub(super) fn start(
    folder: &Path,
    key_file: &Path,
    seed: Option<SocketAddr>,
    plaintext: bool,
) -> Result<(OtherSide, Reached), Failure> {
    let mut arguments = vec![
        "run-node".into(),
        format!("--folder={}", folder.display()),
        format!("--key-file={}", key_file.display()),
    ];
    arguments.extend(seed.map(|seed| format!("--seed={seed}")));
    arguments.extend(plaintext.then(|| "--plaintext".into()));
    let mut node = OtherSide::start(&arguments)?;
    let reached = node.hear()?;
    Ok((node, reached))
}

/// The node's own process: runs it until the input ends.
pub(super) async fn serve(args: RunArgs) -> Result<(), Failure> {
    let role = if args.seed.is_some() { Role::Peer } else { Role::Seed };
    let node = Node::start(config(args)?, role).await?;
    if !node.wait_for_seed(MEETING).await {
        return Err("the node did not meet the seed".into());
    }
    say(&Reached { mirror: node.mirror(), swarm: node.swarm() })?;
    until_told_to_end().await;
    node.shutdown().await;
    Ok(())
}

/// All on loopback, on ports of the system's choice; the registry's name leads nowhere.
fn config(args: RunArgs) -> Result<Config, Failure> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bootstrap = args.seed.map(Into::into).into_iter().collect();
    let registry = Registry {
        host: Some(super::client::REGISTRY.parse()?),
        endpoints: vec!["http://127.0.0.1:1".parse()?],
        ..Registry::default()
    };
    Ok(Config {
        data_dir: args.folder,
        cluster_key_file: Some(InputFile(args.key_file)),
        mirror: Mirror { listen, ..Mirror::default() },
        swarm: Swarm { listen, bootstrap, ..Swarm::default() },
        lane: Lane { listen, plaintext: args.plaintext, ..Lane::default() },
        admin: Admin { listen },
        registry: vec![registry],
        shutdown: Shutdown { drain: Duration::from_secs(1) },
        ..Config::default()
    })
}
