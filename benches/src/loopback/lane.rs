//! One lane, from a file to verified pieces in another process.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use serde::{Deserialize, Serialize};
use shoal_peer::{
    lane::{LaneListener, LaneSender, Verifier},
    secure::Credentials,
    store::{RealDisk, Store},
    swarm::{self, SwarmConfig},
};
use shoal_protocol::{
    chain::Chain,
    digest::Digest,
    geometry::Geometry,
    identity::NodeKey,
    membership::ClusterKey,
    wire::{Channel, LaneHeader},
};
use tokio::task::{JoinSet, spawn_blocking};

use super::{
    args::CopyArgs,
    bare,
    content::{self, StoredBlob},
    cpu::CpuTime,
    other_side::{OtherSide, say},
};
use crate::{
    cli::Failure,
    record::{Run, Session},
};

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const GB: f64 = 1e9;

/// How the file gets over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Bare TLS.
    Tls,
    /// Bare TCP.
    Tcp,
    /// TCP by `sendfile`.
    Sendfile,
    /// A lane whose pieces are thrown away.
    Lane,
    /// A lane whose pieces are verified.
    Verified,
    /// A lane in plaintext whose pieces are thrown away.
    Plaintext,
}

const WAYS: [Way; 6] = [Way::Tls, Way::Lane, Way::Verified, Way::Tcp, Way::Sendfile, Way::Plaintext];

/// What the receiving side is told.
#[derive(Debug, clap::Args)]
pub(super) struct ReceiveArgs {
    #[arg(long)]
    way: Way,
    /// File with the chain to verify by
    #[arg(long)]
    chain: PathBuf,
    #[arg(long)]
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct Listening {
    address: SocketAddr,
}

#[derive(Serialize, Deserialize)]
struct Received {
    bytes: u64,
    good_pieces: u32,
    cpu_s: f64,
}

pub(super) async fn run(args: CopyArgs) -> Result<(), Failure> {
    let mut session = Session::begin("loopback-lane", &args, &args.output)?;
    let folder = tempfile::tempdir_in(&args.folder)?;
    session.say("making the file");
    let subject = Subject::make(folder.path(), content::geometry(args.bytes, args.piece)?)?;
    for round in 1..=args.runs {
        let [mut tls_bytes_per_s, mut sendfile_bytes_per_s] = [f64::NAN; 2];
        for way in WAYS {
            let mut run = subject.copy(way, round).await?;
            let rate = run.figures["bytes_per_s"];
            match way {
                Way::Tls => tls_bytes_per_s = rate,
                Way::Lane => run = run.with("lane_over_tls", rate / tls_bytes_per_s),
                Way::Verified => run = run.with("verified_over_tls", rate / tls_bytes_per_s),
                Way::Tcp => run = run.with("over_tls", rate / tls_bytes_per_s),
                Way::Sendfile => {
                    sendfile_bytes_per_s = rate;
                    run = run.with("over_tls", rate / tls_bytes_per_s);
                }
                Way::Plaintext => {
                    run = run
                        .with("plaintext_over_tls", rate / tls_bytes_per_s)
                        .with("plaintext_over_sendfile", rate / sendfile_bytes_per_s);
                }
            }
            session.add(run)?;
        }
    }
    session.finish("lane")?;
    Ok(())
}

struct Subject {
    blob: StoredBlob,
    store: Store,
    chain_file: PathBuf,
}

impl Subject {
    fn make(folder: &Path, geometry: Geometry) -> Result<Self, Failure> {
        let store_folder = folder.join("store");
        let blob = StoredBlob::make(&store_folder, geometry, &NodeKey::from_secret([1; 32]))?;
        let chain_file = folder.join("chain");
        std::fs::write(&chain_file, content::encode(&blob.chain))?;
        let (store, _) = Store::open(&store_folder, Arc::new(RealDisk))?;
        Ok(Self { blob, store, chain_file })
    }

    async fn copy(&self, way: Way, round: u32) -> Result<Run, Failure> {
        let name = format!("{way:?}").to_lowercase();
        let arguments = [
            "receive".into(),
            format!("--way={name}"),
            format!("--chain={}", self.chain_file.display()),
            format!("--digest={}", self.blob.digest),
        ];
        let mut receiver = OtherSide::start(&arguments)?;
        let Listening { address } = receiver.hear()?;
        let (began, cpu) = (Instant::now(), CpuTime::own());
        self.send(way, address).await?;
        let received: Received = receiver.hear()?;
        let (elapsed, sender_cpu) = (began.elapsed(), CpuTime::own() - cpu);
        receiver.end()?;
        let len_bytes = self.blob.geometry.blob_bytes();
        let verified = way != Way::Verified || received.good_pieces == self.blob.geometry.piece_count();
        if received.bytes != len_bytes || !verified {
            return Err(format!("{name} brought {} of {len_bytes} bytes", received.bytes).into());
        }
        let gb = len_bytes as f64 / GB;
        Ok(Run::new(name, round)
            .with("bytes_per_s", len_bytes as f64 / elapsed.as_secs_f64())
            .with("sender_cpu_s_per_gb", sender_cpu.total_s() / gb)
            .with("sender_system_s_per_gb", sender_cpu.system_s / gb)
            .with("receiver_cpu_s_per_gb", received.cpu_s / gb))
    }

    async fn send(&self, way: Way, to: SocketAddr) -> Result<(), Failure> {
        let path = self.blob.path.clone();
        match way {
            Way::Tls => bare::send_tls(&path, to, &way.credentials(1)?).await,
            Way::Tcp => Ok(spawn_blocking(move || bare::send_tcp(&path, to)).await??),
            Way::Sendfile => Ok(spawn_blocking(move || bare::send_file(&path, to)).await??),
            Way::Lane | Way::Verified | Way::Plaintext => self.send_on_lane(way, to).await,
        }
    }

    async fn send_on_lane(&self, way: Way, to: SocketAddr) -> Result<(), Failure> {
        let own = way.credentials(1)?;
        let config = SwarmConfig { listen: vec![LOCALHOST], ..SwarmConfig::new(own.clone()) };
        let (swarm, _events) = swarm::start(config)?;
        let node = way.credentials(2)?.node_id();
        let mut lane = LaneSender::open(&own, &swarm, node, &[to]).await?;
        if lane.is_plaintext() != (way == Way::Plaintext) {
            return Err("the two sides of the lane did not agree on what was asked for".into());
        }
        let file = self.store.open_blob(&self.blob.digest)?.ok_or("the blob is gone")?;
        let geometry = self.blob.geometry;
        for piece in 0..geometry.piece_count() {
            let header = LaneHeader { channel: Channel(1), piece, len_bytes: geometry.len(piece) };
            lane.send(header, &file, geometry.range(piece).start).await?;
        }
        lane.close().await?;
        swarm.shutdown().await;
        Ok(())
    }
}

/// The receiving side: listens, receives one copy, says what came.
pub(super) async fn receive(args: ReceiveArgs) -> Result<(), Failure> {
    let digest: Digest = args.digest.parse()?;
    let chain = content::decode(digest, &std::fs::read(&args.chain)?)?;
    let (bytes, good_pieces) = match args.way {
        Way::Tls => {
            let listener = tokio::net::TcpListener::bind(LOCALHOST).await?;
            say(&Listening { address: listener.local_addr()? })?;
            (bare::receive_tls(&listener, &args.way.credentials(2)?).await?, 0)
        }
        Way::Tcp | Way::Sendfile => {
            let listener = std::net::TcpListener::bind(LOCALHOST)?;
            say(&Listening { address: listener.local_addr()? })?;
            (spawn_blocking(move || bare::receive_tcp(&listener)).await??, 0)
        }
        Way::Lane | Way::Plaintext => receive_lane(args.way, None).await?,
        Way::Verified => receive_lane(args.way, Some(chain)).await?,
    };
    say(&Received { bytes, good_pieces, cpu_s: CpuTime::own().total_s() })
}

async fn receive_lane(way: Way, chain: Option<Chain>) -> Result<(u64, u32), Failure> {
    let mut listener = LaneListener::bind(LOCALHOST, way.credentials(2)?).await?;
    say(&Listening { address: listener.address() })?;
    let (_, mut lane) = listener.accept().await.ok_or("no lane came")?;
    let verifier = Verifier::default();
    let (mut bytes, mut verifying) = (0, JoinSet::new());
    while let Some((header, piece)) = lane.next().await? {
        bytes += piece.len() as u64;
        let Some(chain) = &chain else { continue };
        let check = chain.check(header.piece).ok_or("an unknown piece")?;
        let (place, verifier) = (verifier.place().await, verifier.clone());
        verifying.spawn(async move { verifier.verify(place, check, piece, |good, _| good).await });
    }
    let good = verifying.join_all().await.into_iter().filter(|verdict| *verdict == Some(true));
    Ok((bytes, u32::try_from(good.count())?))
}

impl Way {
    fn credentials(self, secret: u8) -> Result<Credentials, Failure> {
        let (key, cluster) = (NodeKey::from_secret([secret; 32]), ClusterKey::from_root([9; 32]));
        Ok(match self {
            Self::Plaintext => Credentials::with_plaintext_lanes(key, cluster)?,
            _ => Credentials::new(key, cluster)?,
        })
    }
}
