//! A blob from one node's disk, through the exchange, to another's.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::Digest as _;
use shoal_protocol::{geometry::Geometry, identity::NodeKey};

use super::{
    GB,
    args::CopyArgs,
    client::{self, Client},
    content::{self, StoredBlob},
    copy::Copied,
    cpu::CpuTime,
    nodes,
};
use crate::{
    cli::Failure,
    record::{Run, Session},
    rig::KeptMemory,
};

const PLAIN_CHUNK_BYTES: usize = 1024 * 1024;
/// Memory that is kept for the measurement, in lengths of the blob: the blob, a plain file, the fetched one and what is
/// hashed come to 3.5, and long writes can use but half of what is kept.
const KEPT_LENGTHS: u64 = 8;
/// How often the disk of the fetching node is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longer than any fetch takes.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn run(args: CopyArgs) -> Result<(), Failure> {
    let mut session = Session::begin("loopback-node", &args, &args.output)?;
    let folder = tempfile::tempdir_in(&args.folder)?;
    session.say("making the blob");
    let _memory = KeptMemory::keep(args.bytes.0.saturating_mul(KEPT_LENGTHS)).await?;
    let subject = Subject::make(folder.path(), content::geometry(args.bytes, args.piece)?)?;
    for round in 1..=args.runs {
        let tls_s_per_gb = Copied::by_tls(&subject.blob.path).await?.cpu_s() / subject.gb();
        session.add(beside_least(subject.fetch("node", round, false).await?, tls_s_per_gb))?;
        session.add(subject.fetch("plaintext", round, true).await?)?;
    }
    session.finish("node")?;
    Ok(())
}

/// A blob in the store of one node, from which others fetch it.
struct Subject<'a> {
    folder: &'a Path,
    key_file: PathBuf,
    blob: StoredBlob,
}

impl<'a> Subject<'a> {
    fn make(folder: &'a Path, geometry: Geometry) -> Result<Self, Failure> {
        let key_file = nodes::make_key(folder)?;
        let store = folder.join("holder/store");
        let blob = StoredBlob::make(&store, geometry, &NodeKey::from_secret([1; 32]))?;
        Ok(Self { folder, key_file, blob })
    }

    fn len_bytes(&self) -> u64 {
        self.blob.geometry.blob_bytes()
    }

    fn gb(&self) -> f64 {
        self.len_bytes() as f64 / GB
    }

    /// One fetch by a node that has nothing yet.
    async fn fetch(&self, case: &str, round: u32, plaintext: bool) -> Result<Run, Failure> {
        let fetcher_folder = self.folder.join("fetcher");
        let start = |folder: &Path, seed| nodes::start(folder, &self.key_file, seed, plaintext);
        let (holder, reached) = start(&self.folder.join("holder"), None)?;
        let (fetcher, fetching) = start(&fetcher_folder, Some(reached.swarm))?;
        let plain_write_s = plain_write_s(self.folder, self.len_bytes())?;
        let before = (holder.cpu(), fetcher.cpu());
        let began = Instant::now();
        // One byte makes it fetch all; the rest is not read, so that the mirror's work is not measured too.
        let asked = tokio::task::spawn_blocking({
            let path = client::blob_path(&self.blob.digest);
            move || Client::connect(fetching.mirror)?.get(&path, Some("bytes=0-0"))
        });
        wait_for(&in_store(&fetcher_folder, &self.blob)).await?;
        let elapsed = began.elapsed();
        asked.await??;
        let (sent, received) = (holder.cpu() - before.0, fetcher.cpu() - before.1);
        fetcher.end()?;
        holder.end()?;
        std::fs::remove_dir_all(&fetcher_folder)?;
        let gb = self.gb();
        Ok(Run::new(case, round)
            .with("cpu_s_per_gb", (sent + received).total_s() / gb)
            .with("holder_user_s_per_gb", sent.user_s / gb)
            .with("holder_system_s_per_gb", sent.system_s / gb)
            .with("fetcher_user_s_per_gb", received.user_s / gb)
            .with("fetcher_system_s_per_gb", received.system_s / gb)
            .with("bytes_per_s", self.len_bytes() as f64 / elapsed.as_secs_f64())
            .with("plain_write_s_per_gb", plain_write_s / gb)
            .with("sha256_bytes_per_s", sha256_bytes_per_s()))
    }
}

/// A fetch, and what no encrypted one can do without: a bare TLS copy, SHA-256 and a plain write.
fn beside_least(fetch: Run, tls_s_per_gb: f64) -> Run {
    let figures = &fetch.figures;
    let least_s_per_gb = tls_s_per_gb + figures["plain_write_s_per_gb"] + GB / figures["sha256_bytes_per_s"];
    let cpu_over_least = figures["cpu_s_per_gb"] / least_s_per_gb;
    fetch.with("least_cpu_s_per_gb", least_s_per_gb).with("cpu_over_least", cpu_over_least)
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

/// Seconds of the processor for writing as much into a new file, and nothing else. It takes the pages from the system
/// that the fetched blob will have next: the first touch of a page of a virtual machine's memory can cost its host ten
/// times what copying into it does, which is not Shoal's work. How much of that is left shows in a second file's time.
fn plain_write_s(folder: &Path, len_bytes: u64) -> io::Result<f64> {
    let path = folder.join("plain");
    let mut seconds = 0.0;
    for _ in 0..2 {
        let mut file = File::create(&path)?;
        let chunk = vec![7; PLAIN_CHUNK_BYTES];
        let before = CpuTime::own();
        let mut left_bytes = len_bytes;
        while left_bytes > 0 {
            let now = chunk.len().min(usize::try_from(left_bytes).unwrap_or(usize::MAX));
            file.write_all(&chunk[..now])?;
            left_bytes -= now as u64;
        }
        seconds = (CpuTime::own() - before).total_s();
        std::fs::remove_file(&path)?;
    }
    Ok(seconds)
}

/// What one core hashes of one stream in a second of its time, however many others want it.
fn sha256_bytes_per_s() -> f64 {
    let bytes = vec![7; 512 * 1024 * 1024];
    let before = CpuTime::own();
    std::hint::black_box(sha2::Sha256::digest(&bytes));
    bytes.len() as f64 / (CpuTime::own() - before).total_s()
}
