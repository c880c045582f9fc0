//! One seed and two peers on loopback, before a registry in this process.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::rig::{
    Metrics, NodeFiles, NodePlan, Origin, Ports, Process, RigError, new_cluster_key, page, until,
};

const MEET_WITHIN: Duration = Duration::from_secs(60);

/// The cluster. Dropping it ends and removes all of it.
#[derive(Debug)]
pub(super) struct Cluster {
    /// What nobody has yet comes from here.
    pub(super) origin: Origin,
    seed: Node,
    peers: [Node; 2],
    announced: usize,
    folder: TempDir,
}

#[derive(Debug)]
struct Node {
    process: Process,
    ports: Ports,
}

impl Cluster {
    /// Starts all of it in a new folder in `parent`, and waits until the nodes have met.
    pub(super) async fn start(shoal: &Path, parent: Option<&Path>) -> Result<Self, RigError> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = TempDir::with_prefix_in("shoal-latency-", &parent);
        let folder = folder.map_err(RigError::system(format!("make a folder in {}", parent.display())))?;
        let origin = Origin::serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await;
        let origin = origin.map_err(RigError::system("serve a registry on loopback"))?;
        let cluster_key = new_cluster_key(shoal, folder.path())?;
        let start = |name: &str, bootstrap| {
            let ports = free_ports().map_err(RigError::system("find free ports on loopback"))?;
            let plan = NodePlan { cluster_key: &cluster_key, ports, bootstrap, origin: origin.address() };
            let NodeFiles { config, log } = plan.write(&folder.path().join(name))?;
            let mut command = Command::new(shoal);
            command.arg(if bootstrap.is_none() { "seed" } else { "peer" }).arg("--config").arg(config);
            Ok(Node { process: Process::spawn(name, command, &log)?, ports })
        };
        let seed = start("seed", None)?;
        let met = Some(seed.ports.swarm);
        let peers = [start("peer-1", met)?, start("peer-2", met)?];
        let mut cluster = Self { origin, seed, peers, announced: 0, folder };
        cluster.wait("every node to know every other", |metrics| metrics.known_nodes() >= 3).await?;
        Ok(cluster)
    }

    /// For what is asked for.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a peer's runtime pulls; `{what}` stands for what.
    pub(super) fn mirror_url(&self, peer: usize) -> String {
        let registry = self.origin.address().to_string().replace(':', "%3A");
        format!("http://{}/{{what}}?ns={registry}", self.peers[peer].ports.mirror)
    }

    /// Where the origin has it; `{what}` stands for what.
    pub(super) fn origin_url(&self) -> String {
        format!("http://{}/{{what}}", self.origin.address())
    }

    /// Waits until the second peer knows that others have so many things more.
    pub(super) async fn wait_announced(&mut self, more: usize) -> Result<(), RigError> {
        self.announced += more;
        let announced = self.announced;
        self.wait("announcements", |metrics| metrics.known_blobs() >= announced).await
    }

    /// Until the second peer, which hears of everything from others, knows.
    async fn wait(&mut self, what: &str, knows: impl Fn(&Metrics) -> bool) -> Result<(), RigError> {
        let url = format!("http://{}/metrics", self.peers[1].ports.admin);
        until(what, MEET_WITHIN, async || {
            self.seed.process.check()?;
            self.peers.iter_mut().try_for_each(|peer| peer.process.check())?;
            // A node that has just been started does not answer yet.
            Ok(page(&url).await.is_ok_and(|page| knows(&Metrics::new(page.text))))
        })
        .await
    }
}

/// Four that were free a moment ago, chosen by the system.
fn free_ports() -> io::Result<Ports> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let [mirror, swarm, lane, admin] = [bind()?, bind()?, bind()?, bind()?];
    Ok(Ports {
        mirror: mirror.local_addr()?,
        swarm: swarm.local_addr()?,
        lane: lane.local_addr()?,
        admin: admin.local_addr()?,
    })
}
