//! The cluster of the demo: an origin, one seed and several peers in this process.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::future::{join_all, try_join_all};
use shoal_protocol::{
    digest::Digest,
    membership::{ClusterKey, Role},
    reference::{ImageName, NameError, Reference},
};
use tempfile::TempDir;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    config::{Admin, Config, InputFile, Lane, Mirror, Registry, Shutdown, Swarm},
    reference::ImageReference,
};

use super::{
    image::{MadeImage, REPOSITORY, TAG},
    node::DemoNode,
    origin::Origin,
    progress::{Progress, PullProgress},
    pull::{Pulled, pull},
    report::{DOCKER_HUB_URL, OriginReport, PeerReport, RegistryReport, Report, Sources},
};

/// What is pulled.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An image made on the spot.
    Made {
        /// Its size, roughly.
        size_bytes: u64,
        /// How much the origin sends at most, in all.
        rate_bytes_per_s: Option<u64>,
    },
    /// An image of a real registry, which becomes the origin.
    Real(ImageReference),
}

/// Why the demo could not begin.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No folder, or no room in it.
    #[error("can't {what} in {}: {source}; TMPDIR names another folder", folder.display())]
    Folder {
        /// What was tried.
        what: &'static str,
        /// Where.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No random bytes for a key.
    #[error("the system gives no random bytes for a key: {0}")]
    Random(getrandom::Error),
    /// The registry did not start.
    #[error("can't serve the origin registry on loopback: {0}")]
    Origin(io::Error),
    /// The name of the origin or its image is not one.
    #[error("the origin's own name is refused: {0}")]
    Name(#[from] NameError),
    /// A node did not start.
    #[error("can't start {name}: {reason}")]
    Node {
        /// The seed or a peer.
        name: String,
        /// Its reason.
        reason: String,
    },
}

/// A running demo. The folder with all that it keeps is removed at its end.
pub struct Demo {
    image: ImageReference,
    origin: Option<Origin>,
    seed: DemoNode,
    peers: Vec<DemoNode>,
    folder: TempDir,
}

impl Demo {
    /// Puts up everything and waits until the peers have met the seed.
    pub async fn start(subject: &Subject, peers: u16, progress: &Progress) -> Result<Self, DemoError> {
        let folder = TempDir::with_prefix("shoal-demo-").map_err(|source| DemoError::Folder {
            what: "make a folder",
            folder: std::env::temp_dir(),
            source,
        })?;
        let (image, origin) = match subject {
            Subject::Real(image) => (image.clone(), None),
            Subject::Made { size_bytes, rate_bytes_per_s } => {
                progress.say("Making an image …");
                let origin = serve_made(folder.path(), *size_bytes, *rate_bytes_per_s).await?;
                (made_reference(origin.address())?, Some(origin))
            }
        };
        progress.say(&format!("Starting a seed and {peers} peers …"));
        let plan = Plan::new(folder.path(), &image, origin.as_ref())?;
        let seed = plan.start("seed", Role::Seed, None).await?;
        let names: Vec<String> = (1..=peers).map(|number| format!("peer-{number}")).collect();
        let starts = names.iter().map(|name| plan.start(name, Role::Peer, Some(seed.swarm())));
        let peers = try_join_all(starts).await?;
        Ok(Self { image, origin, seed, peers, folder })
    }

    /// Pulls the image through every peer at once.
    pub async fn pull(&self, progress: &Progress) -> Report {
        progress.say(&format!("Pulling {} through {} peers at once …", self.image, self.peers.len()));
        let started = Instant::now();
        // Tasks of their own use every core: each pull hashes all that it gets.
        let pulls = self.peers.iter().enumerate().map(|(index, peer)| {
            let watch = progress.begin(format!("peer {}", index + 1));
            AbortOnDropHandle::new(tokio::spawn(pull_through(peer.mirror(), self.image.clone(), watch)))
        });
        let outcomes = join_all(pulls).await.into_iter().map(|joined| Outcome::of(joined, started));
        self.report(started.elapsed(), &outcomes.collect::<Vec<_>>())
    }

    /// Stops every node, then the origin.
    pub async fn stop(self) {
        join_all(self.peers.into_iter().map(DemoNode::stop)).await;
        self.seed.stop().await;
        drop((self.origin, self.folder));
    }

    fn report(&self, elapsed: Duration, outcomes: &[Outcome]) -> Report {
        let pulled = outcomes.iter().find_map(|outcome| outcome.result.as_ref().ok());
        let size_bytes = pulled.map(|pulled| pulled.size_bytes).unwrap_or_default();
        let seed = self.seed.sources();
        let peers = self.peers.iter().zip(outcomes).map(|(peer, outcome)| PeerReport {
            mirror: peer.mirror(),
            elapsed: outcome.elapsed,
            sources: peer.sources(),
            error: outcome.result.as_ref().err().cloned(),
        });
        Report {
            image: self.image.to_string(),
            digest: pulled.map(|pulled| pulled.digest.to_string()),
            size_bytes,
            elapsed,
            peers: peers.collect(),
            seed,
            origin: self.origin_report(pulled, &seed),
            registry: self.registry_report(),
        }
    }

    /// An origin of our own has counted what it was asked for; of another's we know what the seed received.
    fn origin_report(&self, pulled: Option<&Pulled>, seed: &Sources) -> OriginReport {
        let tally = self.origin.as_ref().map(Origin::tally);
        let blob_bytes = tally.as_ref().map_or(seed.origin_bytes, |tally| tally.blob_bytes);
        let size_bytes = pulled.map(|pulled| pulled.size_bytes).unwrap_or_default();
        let blobs = pulled.map(|pulled| pulled.blobs.as_slice()).unwrap_or_default();
        OriginReport {
            gets_per_blob: tally.map(|tally| mean_gets(&tally.gets_by_blob, blobs)),
            blob_bytes,
            image_copies: blob_bytes as f64 / size_bytes.max(1) as f64,
        }
    }

    fn registry_report(&self) -> RegistryReport {
        let host = self.image.name.registry.to_string();
        let url = match &self.origin {
            Some(origin) => format!("http://{}", origin.address()),
            None if host == "docker.io" => DOCKER_HUB_URL.into(),
            None => format!("https://{host}"),
        };
        RegistryReport { host, url, is_ours: self.origin.is_some() }
    }
}

/// What every node of the demo is told.
struct Plan<'a> {
    folder: &'a Path,
    key_file: PathBuf,
    registry: Registry,
}

impl<'a> Plan<'a> {
    fn new(folder: &'a Path, image: &ImageReference, origin: Option<&Origin>) -> Result<Self, DemoError> {
        let mut root = [0; 32];
        getrandom::fill(&mut root).map_err(DemoError::Random)?;
        let key_file = folder.join("cluster.key");
        std::fs::write(&key_file, ClusterKey::from_root(root).to_text()).map_err(|source| {
            DemoError::Folder { what: "write the cluster key", folder: folder.into(), source }
        })?;
        let endpoint = origin.and_then(|origin| format!("http://{}", origin.address()).parse().ok());
        let registry = Registry {
            host: Some(image.name.registry.clone()),
            endpoints: endpoint.into_iter().collect(),
            ..Registry::default()
        };
        Ok(Self { folder, key_file, registry })
    }

    async fn start(&self, name: &str, role: Role, seed: Option<SocketAddr>) -> Result<DemoNode, DemoError> {
        let node = DemoNode::start(role, self.config(name, seed)).await;
        node.map_err(|reason| DemoError::Node { name: name.into(), reason })
    }

    /// All on loopback, on ports of the system's choice.
    fn config(&self, name: &str, seed: Option<SocketAddr>) -> Config {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bootstrap = seed.map(Into::into).into_iter().collect();
        Config {
            data_dir: self.folder.join(name),
            cluster_key_file: Some(InputFile(self.key_file.clone())),
            // What came ahead would show as read from disk, and hide where it came from.
            mirror: Mirror { listen, prefetch: false, ..Mirror::default() },
            swarm: Swarm { listen, bootstrap, ..Swarm::default() },
            lane: Lane { listen, ..Lane::default() },
            admin: Admin { listen },
            registry: vec![self.registry.clone()],
            shutdown: Shutdown { drain: Duration::from_secs(1) },
            ..Config::default()
        }
    }
}

struct Outcome {
    elapsed: Duration,
    result: Result<Pulled, String>,
}

impl Outcome {
    /// What a task came to that was started at `started`.
    fn of(joined: Result<Self, JoinError>, started: Instant) -> Self {
        joined.unwrap_or_else(|error| Self { elapsed: started.elapsed(), result: Err(error.to_string()) })
    }
}

async fn pull_through(mirror: SocketAddr, image: ImageReference, watch: PullProgress) -> Outcome {
    let started = Instant::now();
    let result = pull(mirror, &image.name, &image.reference, &watch).await.map_err(|error| error.to_string());
    let elapsed = started.elapsed();
    watch.end(if result.is_ok() { "verified" } else { "failed" }, elapsed);
    Outcome { elapsed, result }
}

async fn serve_made(
    folder: &Path,
    size_bytes: u64,
    rate_bytes_per_s: Option<u64>,
) -> Result<Origin, DemoError> {
    let folder = folder.join("origin");
    let mut seed = [0; 8];
    // Another image each time: a runtime that pulls a kept demo's image has none of it yet.
    getrandom::fill(&mut seed).map_err(DemoError::Random)?;
    let make = {
        let folder = folder.clone();
        move || {
            std::fs::create_dir(&folder)?;
            MadeImage::make(&folder, size_bytes, u64::from_le_bytes(seed))
        }
    };
    let made = tokio::task::spawn_blocking(make).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let image = made.map_err(|source| DemoError::Folder { what: "make an image", folder, source })?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let origin = Origin::serve(listen, rate_bytes_per_s).await.map_err(DemoError::Origin)?;
    image.put_into(&origin);
    Ok(origin)
}

fn made_reference(origin: SocketAddr) -> Result<ImageReference, DemoError> {
    let name = ImageName { registry: origin.to_string().parse()?, repository: REPOSITORY.parse()? };
    Ok(ImageReference { name, reference: Reference::Tag(TAG.parse()?) })
}

fn mean_gets(gets_by_blob: &BTreeMap<Digest, u64>, blobs: &[Digest]) -> f64 {
    let gets: u64 = blobs.iter().filter_map(|blob| gets_by_blob.get(blob)).sum();
    gets as f64 / blobs.len().max(1) as f64
}
