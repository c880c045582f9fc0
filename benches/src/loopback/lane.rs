//! One lane, from a file to verified pieces in another process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use shoal_peer::{
    lane::LaneSender,
    store::{RealDisk, Store},
    swarm::{self, SwarmConfig},
};
use shoal_protocol::{
    geometry::Geometry,
    identity::NodeKey,
    wire::{Channel, LaneHeader},
};
use tokio::task::spawn_blocking;

use super::{
    GB, LOCALHOST,
    args::CopyArgs,
    bare,
    content::{self, StoredBlob},
    copy::Copied,
    way::Way,
};
use crate::{
    cli::Failure,
    record::{Run, Session},
};

const WAYS: [Way; 6] = [Way::Tls, Way::Lane, Way::Verified, Way::Tcp, Way::Sendfile, Way::Plaintext];

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
        let verify_by =
            [format!("--chain={}", self.chain_file.display()), format!("--digest={}", self.blob.digest)];
        let (len_bytes, pieces) = (self.blob.geometry.blob_bytes(), self.blob.geometry.piece_count());
        let copied = Copied::measure(way, len_bytes, &verify_by, async |to| self.send(way, to).await).await?;
        let received = &copied.received;
        if way == Way::Verified && received.good_pieces != pieces {
            return Err(format!("{} of {pieces} pieces were good", received.good_pieces).into());
        }
        let gb = len_bytes as f64 / GB;
        Ok(Run::new(way.name(), round)
            .with("bytes_per_s", len_bytes as f64 / copied.elapsed.as_secs_f64())
            .with("sender_cpu_s_per_gb", copied.sender.total_s() / gb)
            .with("sender_system_s_per_gb", copied.sender.system_s / gb)
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
