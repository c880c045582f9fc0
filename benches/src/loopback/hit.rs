//! The mirror's answers from its store, beside nginx with the very same files.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use serde::Serialize;
use shoal_peer::store::{RealDisk, Store};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::NodeKey,
};

use super::{
    args::CopyArgs,
    client::{self, Client},
    content::{self, StoredBlob},
    nginx::Nginx,
    nodes,
};
use crate::{
    cli::Failure,
    record::{Run, Session},
};

const SMALL_BYTES: usize = 1024;
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Not measured: connections, caches and the processor's clock are warm after so many.
const WARM_UP: u32 = 200;

/// How to measure hits.
#[derive(Debug, clap::Args, Serialize)]
pub(super) struct HitArgs {
    #[command(flatten)]
    #[serde(flatten)]
    copy: CopyArgs,
    /// Requests for each small thing in a round
    #[arg(long, default_value_t = 3000)]
    requests: u32,
}

pub(super) async fn run(args: HitArgs) -> Result<(), Failure> {
    tokio::task::spawn_blocking(move || measure(&args)).await?
}

fn measure(args: &HitArgs) -> Result<(), Failure> {
    let CopyArgs { bytes, piece, runs, folder, output } = &args.copy;
    let mut session = Session::begin("loopback-hit", args, output)?;
    let folder = tempfile::tempdir_in(folder)?;
    session.say("making the blobs");
    let data = folder.path().join("node");
    let content = Content::make(&data.join("store"), content::geometry(*bytes, *piece)?)?;
    let key_file = nodes::make_key(folder.path())?;
    let (node, reached) = nodes::start(&data, &key_file, None, false)?;
    let nginx = Nginx::start(&folder.path().join("nginx"), &data.join("store/blobs"))?;
    let shoal = content.paths(|digest, is_manifest| match is_manifest {
        true => client::manifest_path(digest),
        false => client::blob_path(digest),
    });
    let files = content.paths(|digest, _| file_path(digest));
    for round in 1..=*runs {
        let theirs = Answers::measure(nginx.address(), &files, args.requests)?;
        let ours = Answers::measure(reached.mirror, &shoal, args.requests)?;
        session.add(theirs.run("nginx", round, bytes.0))?;
        session.add(
            ours.run("shoal", round, bytes.0)
                .with("hit_over_nginx", theirs.large.as_secs_f64() / ours.large.as_secs_f64())
                .with("small_p99_over_nginx", ours.small.p99_s / theirs.small.p99_s)
                .with("manifest_p99_over_nginx", ours.manifest.p99_s / theirs.manifest.p99_s),
        )?;
    }
    node.end()?;
    session.finish("shoal")?;
    Ok(())
}

struct Content {
    large: Digest,
    small: Digest,
    manifest: Digest,
}

/// Where a server has the content.
struct Paths {
    large: String,
    small: String,
    manifest: String,
}

impl Content {
    fn make(store: &Path, large: Geometry) -> Result<Self, Failure> {
        let large = StoredBlob::make(store, large, &NodeKey::from_secret([1; 32]))?.digest;
        let (store, _) = Store::open(store, Arc::new(RealDisk))?;
        let put = |bytes: &[u8], media_type| -> Result<Digest, Failure> {
            let digest = Digest::of(Algorithm::Sha256, bytes);
            store.put(&digest, media_type, bytes)?;
            Ok(digest)
        };
        let small = put(&[7; SMALL_BYTES], None)?;
        let manifest = put(manifest(&large).as_bytes(), Some(MANIFEST_TYPE))?;
        Ok(Self { large, small, manifest })
    }

    fn paths(&self, path: impl Fn(&Digest, bool) -> String) -> Paths {
        Paths {
            large: path(&self.large, false),
            small: path(&self.small, false),
            manifest: path(&self.manifest, true),
        }
    }
}

/// A manifest of the usual size, with ten layers.
fn manifest(layer: &Digest) -> String {
    let layer = format!(
        r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{layer}","size":4096}}"#
    );
    let layers = [layer.as_str(); 10].join(",");
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{layer},"layers":[{layers}]}}"#)
}

/// The blob's place below the folder of all blobs.
fn file_path(digest: &Digest) -> String {
    let hex = digest.to_string().replace("sha256:", "");
    format!("/sha256/{}/{hex}", &hex[..2])
}

struct Answers {
    large: Duration,
    small: Latency,
    manifest: Latency,
}

struct Latency {
    median_s: f64,
    p99_s: f64,
}

impl Answers {
    fn measure(server: SocketAddr, paths: &Paths, requests: u32) -> Result<Self, Failure> {
        let mut client = Client::connect(server)?;
        let (large, _) = client.get(&paths.large, None)?;
        let small = Latency::measure(&mut client, &paths.small, requests)?;
        let manifest = Latency::measure(&mut client, &paths.manifest, requests)?;
        Ok(Self { large, small, manifest })
    }

    fn run(&self, case: &str, round: u32, large_bytes: u64) -> Run {
        Run::new(case, round)
            .with("large_bytes_per_s", large_bytes as f64 / self.large.as_secs_f64())
            .with("small_median_us", self.small.median_s * 1e6)
            .with("small_p99_us", self.small.p99_s * 1e6)
            .with("manifest_median_us", self.manifest.median_s * 1e6)
            .with("manifest_p99_us", self.manifest.p99_s * 1e6)
    }
}

impl Latency {
    fn measure(client: &mut Client, path: &str, requests: u32) -> Result<Self, Failure> {
        for _ in 0..WARM_UP {
            client.get(path, None)?;
        }
        let mut times: Vec<Duration> =
            (0..requests).map(|_| Ok(client.get(path, None)?.0)).collect::<Result<_, Failure>>()?;
        times.sort_unstable();
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
        Ok(Self { median_s: at(0.5).as_secs_f64(), p99_s: at(0.99).as_secs_f64() })
    }
}
