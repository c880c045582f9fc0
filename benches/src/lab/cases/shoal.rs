//! The case `shoal`: one seed, and a peer on each node.

use std::{path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use super::super::{
    args::{LabArgs, Start},
    hosts::{Hosts, ORIGIN_PORT},
    network::{Host, Network},
};
use crate::rig::{
    Blob, Metrics, NodeFiles, NodePlan, Ports, Process, REPOSITORY, RigError, new_cluster_key, shoal_binary,
    until,
};

const MEET_WITHIN: Duration = Duration::from_secs(120);
/// For the last announcements to cross the cluster.
const SETTLE: Duration = Duration::from_secs(1);
const MIRROR_PORT: u16 = 5020;
const SWARM_PORT: u16 = 5021;
const LANE_PORT: u16 = 5022;
const ADMIN_PORT: u16 = 5023;

/// A cluster that has met, and knows who has the blob.
#[derive(Debug)]
pub(super) struct Cluster {
    /// The seed's, then the peers'.
    pub(super) processes: Vec<Process>,
    /// Where each node's runtime pulls.
    pub(super) urls: Vec<String>,
    _folder: TempDir,
}

impl Cluster {
    /// Starts it with empty stores, and warms up those that are to have the blob.
    pub(super) async fn start(args: &LabArgs, hosts: &mut Hosts) -> Result<Self, RigError> {
        let shoal = shoal_binary(args.shoal.as_deref())?;
        let folder = TempDir::with_prefix_in("shoal-", hosts.folder());
        let folder = folder.map_err(RigError::system("make a folder for the nodes' data"))?;
        let cluster_key = new_cluster_key(&shoal, folder.path())?;
        let launch = |host| launch(&shoal, &hosts.network, host, &cluster_key, folder.path());
        let mut processes = vec![launch(Host::Seed)?];
        for hand in &hosts.nodes {
            processes.push(launch(hand.host())?);
        }
        let url = mirror_url(&hosts.blob);
        let mut cluster = Self { processes, urls: vec![url; hosts.nodes.len()], _folder: folder };
        cluster.warm_up(args, hosts).await?;
        Ok(cluster)
    }

    async fn warm_up(&mut self, args: &LabArgs, hosts: &mut Hosts) -> Result<(), RigError> {
        let all = self.processes.len();
        self.wait("every node to know every other", hosts, |metrics| metrics.known_nodes() >= all).await?;
        if args.start == Start::Cold {
            return Ok(());
        }
        hosts.warm_seed(args, &self.urls[0]).await?;
        hosts.warm_up(args, &self.urls).await?;
        self.wait("every peer to know who has the blob", hosts, |metrics| metrics.known_blobs() > 0).await?;
        tokio::time::sleep(SETTLE).await;
        Ok(())
    }

    /// Until all peers do.
    async fn wait(
        &mut self,
        what: &str,
        hosts: &mut Hosts,
        knows: impl Fn(&Metrics) -> bool,
    ) -> Result<(), RigError> {
        let url = format!("http://127.0.0.1:{ADMIN_PORT}/metrics");
        until(what, MEET_WITHIN, async || {
            self.processes.iter_mut().try_for_each(Process::check)?;
            for hand in &mut hosts.nodes {
                if !hand.metrics(&url).await?.is_some_and(|metrics| knows(&metrics)) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }
}

fn launch(
    shoal: &Path,
    network: &Network,
    host: Host,
    cluster_key: &Path,
    parent: &Path,
) -> Result<Process, RigError> {
    let local = |port| ([127, 0, 0, 1], port).into();
    let plan = NodePlan {
        cluster_key,
        ports: Ports {
            mirror: local(MIRROR_PORT),
            swarm: host.address(SWARM_PORT),
            lane: host.address(LANE_PORT),
            admin: local(ADMIN_PORT),
        },
        bootstrap: (host != Host::Seed).then(|| Host::Seed.address(SWARM_PORT)),
        origin: Host::Origin.address(ORIGIN_PORT),
    };
    let NodeFiles { config, log } = plan.write(&parent.join(host.name()))?;
    let mut command: Command = network.command(host, shoal);
    command.arg(if host == Host::Seed { "seed" } else { "peer" }).arg("--config").arg(config);
    Process::spawn(&format!("shoal on {}", host.name()), command, &log)
}

fn mirror_url(blob: &Blob) -> String {
    let registry = Host::Origin.address(ORIGIN_PORT).to_string().replace(':', "%3A");
    format!("http://127.0.0.1:{MIRROR_PORT}/v2/{REPOSITORY}/blobs/{}?ns={registry}", blob.digest)
}
