//! Hosts, links, agents and a blob: what stays from one case to the next.

use std::{path::Path, time::Duration};

use futures::future::try_join_all;
use tempfile::TempDir;

use super::{
    agent::Tally,
    args::{LabArgs, Start},
    hand::Hand,
    needs::Tools,
    network::{Host, Links, Network},
    progress::Progress,
};
use crate::rig::{Blob, KeptMemory, REPOSITORY, RigError, blob};

/// Where the origin listens, on its host.
pub(super) const ORIGIN_PORT: u16 = 5000;
/// How long the calibrating copy takes on a link.
const CALIBRATION_S: f64 = 2.0;
/// A pull that takes this many times what every node takes over one link has failed.
const PATIENCE: f64 = 2.0;
/// On top, for starts and endings.
const GRACE: Duration = Duration::from_secs(60);

/// All hosts with their agents. Dropping it removes everything.
#[derive(Debug)]
pub(super) struct Hosts {
    /// On the origin's host.
    pub(super) origin: Hand,
    /// On the seed's.
    pub(super) seed: Hand,
    /// On each node's.
    pub(super) nodes: Vec<Hand>,
    pub(super) network: Network,
    pub(super) blob: Blob,
    calibration: Blob,
    folder: TempDir,
    _memory: KeptMemory,
}

impl Hosts {
    /// Puts everything up; the origin serves.
    pub(super) async fn up(args: &LabArgs, tools: &Tools) -> Result<Self, RigError> {
        let parent = args.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = TempDir::with_prefix_in("shoal-lab-", &parent);
        let folder = folder.map_err(RigError::system(format!("make a folder in {}", parent.display())))?;
        let memory = KeptMemory::keep(args.stored_bytes().saturating_mul(2)).await;
        let memory = memory.map_err(RigError::system("keep memory for the nodes' data"))?;
        let blob = blob::random(&folder.path().join("blob"), args.blob.0)?;
        let calibration_bytes = (args.rate.0 as f64 * CALIBRATION_S) as u64;
        let calibration = blob::random(&folder.path().join("calibration"), calibration_bytes)?;
        let links = Links { rate: args.rate, loss: args.loss, congestion: args.congestion.clone() };
        let network = Network::up(tools, args.nodes, &links)?;
        let reach = |host| Hand::reach(&network, host, folder.path());
        let mut origin = reach(Host::Origin)?;
        let seed = reach(Host::Seed)?;
        let nodes = (1..=args.nodes).map(|number| reach(Host::Node(number))).collect::<Result<_, _>>()?;
        origin.serve(&blob, ORIGIN_PORT).await?;
        origin.serve(&calibration, ORIGIN_PORT).await?;
        Ok(Self { origin, seed, nodes, network, blob, calibration, folder, _memory: memory })
    }

    /// For the data of what is measured.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the blob is at the origin.
    pub(super) fn origin_url(&self) -> String {
        blob_url(Host::Origin, ORIGIN_PORT, &self.blob)
    }

    /// The rate of payload between two hosts when nothing else goes on.
    pub(super) async fn link_bytes_per_s(&mut self) -> Result<f64, RigError> {
        let url = blob_url(Host::Origin, ORIGIN_PORT, &self.calibration);
        let within = GRACE + Duration::from_secs_f64(CALIBRATION_S);
        let hand = &mut self.nodes[0];
        let progress = Progress::begin("calibrating".into(), 1, self.calibration.len_bytes);
        let pulled = hand.pull(&url, &self.calibration, within, &progress.shares()[0]).await?;
        let pulled = pulled.map_err(|reason| RigError::Helper { who: "the calibration".into(), reason })?;
        Ok(self.calibration.len_bytes as f64 / (pulled.ended_at_s - pulled.began_at_s))
    }

    /// What the origin was asked for so far.
    pub(super) async fn tally(&mut self) -> Result<Tally, RigError> {
        self.origin.tally().await
    }

    /// Lets the first nodes pull, as many as have the blob at the beginning, and nobody is measured.
    pub(super) async fn warm_up(&mut self, args: &LabArgs, urls: &[String]) -> Result<(), RigError> {
        let count = usize::from(args.warm_nodes());
        let progress = Progress::begin("warming up".into(), count, self.blob.len_bytes);
        let pulls = self.nodes.iter_mut().zip(urls).zip(progress.shares()).map(|((hand, url), share)| {
            let blob = &self.blob;
            async move { hand.pull(url, blob, patience(args), share).await?.map_err(failed) }
        });
        try_join_all(pulls.take(count)).await.map(drop)
    }

    /// Lets the seed pull through its own mirror.
    pub(super) async fn warm_seed(&mut self, args: &LabArgs, url: &str) -> Result<(), RigError> {
        if args.start == Start::Cold {
            return Ok(());
        }
        let progress = Progress::begin("warming the seed".into(), 1, self.blob.len_bytes);
        let share = &progress.shares()[0];
        self.seed.pull(url, &self.blob, patience(args), share).await?.map_err(failed).map(drop)
    }
}

/// The longest that a pull may take.
pub(super) fn patience(args: &LabArgs) -> Duration {
    GRACE + Duration::from_secs_f64(args.copy_s() * f64::from(args.nodes + 2) * PATIENCE)
}

/// Where a blob is on a host that serves it as the origin does.
pub(super) fn blob_url(host: Host, port: u16, blob: &Blob) -> String {
    format!("http://{}/v2/{REPOSITORY}/blobs/{}", host.address(port), blob.digest)
}

/// A pull that was needed before anything could be measured.
fn failed(reason: String) -> RigError {
    RigError::Helper { who: "a pull before the measurement".into(), reason }
}
