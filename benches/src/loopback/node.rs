//! A blob from one node's disk, through the exchange, to another's.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;
use sha2::Digest as _;
use shoal_protocol::identity::NodeKey;

use super::{
    client::{self, Client},
    content::StoredBlob,
    nodes,
};
use crate::{
    cli::Failure,
    record::{OutputArgs, Run, Session},
    units::Bytes,
};

const GB: f64 = 1e9;
/// How often the disk of the fetching node is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longer than any fetch takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// How to measure a fetch.
#[derive(Debug, clap::Args, Serialize)]
pub(super) struct Args {
    /// Length of the blob, which stays in memory as long as there is enough
    #[arg(long, default_value = "4GiB")]
    bytes: Bytes,
    /// Fetches, each by a fresh node
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Folder for the stores
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    #[command(flatten)]
    #[serde(skip)]
    output: OutputArgs,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut session = Session::begin("loopback-node", &args, &args.output)?;
    let folder = tempfile::tempdir_in(&args.folder)?;
    session.say("making the blob");
    let holder_folder = folder.path().join("holder");
    let key_file = nodes::make_key(folder.path())?;
    let blob = StoredBlob::make(&holder_folder.join("store"), args.bytes.0, &NodeKey::from_secret([1; 32]))?;
    let (holder, reached) = nodes::start(&holder_folder, &key_file, None)?;
    for round in 1..=args.runs {
        let fetcher_folder = folder.path().join("fetcher");
        let (fetcher, fetching) = nodes::start(&fetcher_folder, &key_file, Some(reached.swarm))?;
        let before = (holder.cpu(), fetcher.cpu());
        let began = Instant::now();
        // One byte makes it fetch all; the rest is not read, so that the mirror's work is not measured too.
        let asked = tokio::task::spawn_blocking({
            let path = client::blob_path(&blob.digest);
            move || Client::connect(fetching.mirror)?.get(&path, Some("bytes=0-0"))
        });
        wait_for(&in_store(&fetcher_folder, &blob)).await?;
        let elapsed = began.elapsed();
        asked.await??;
        let (sent, received) = (holder.cpu() - before.0, fetcher.cpu() - before.1);
        fetcher.end()?;
        std::fs::remove_dir_all(&fetcher_folder)?;
        let gb = args.bytes.0 as f64 / GB;
        session.add(
            Run::new("node", round)
                .with("cpu_s_per_gb", (sent + received).total_s() / gb)
                .with("holder_user_s_per_gb", sent.user_s / gb)
                .with("holder_system_s_per_gb", sent.system_s / gb)
                .with("fetcher_user_s_per_gb", received.user_s / gb)
                .with("fetcher_system_s_per_gb", received.system_s / gb)
                .with("bytes_per_s", args.bytes.0 as f64 / elapsed.as_secs_f64())
                .with("sha256_bytes_per_s", sha256_bytes_per_s()),
        )?;
    }
    holder.end()?;
    session.finish("node")?;
    Ok(())
}

fn in_store(folder: &Path, blob: &StoredBlob) -> PathBuf {
    let hex = blob.digest.to_string().replace("sha256:", "");
    folder.join("store/blobs/sha256").join(&hex[..2]).join(&hex)
}

async fn wait_for(path: &Path) -> Result<(), Failure> {
    let appears = async {
        while !path.exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, appears).await;
    waited.map_err(|_| format!("the blob was not fetched within {} s", PATIENCE.as_secs()).into())
}

/// What one core hashes, of one stream.
fn sha256_bytes_per_s() -> f64 {
    let bytes = vec![7; 256 * 1024 * 1024];
    let began = Instant::now();
    std::hint::black_box(sha2::Sha256::digest(&bytes));
    bytes.len() as f64 / began.elapsed().as_secs_f64()
}
