//! The lab's hand on a host: a process of this program that runs there, takes orders, and answers each with a line.

use std::{
    fs::File,
    future,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::spawn_blocking};

use crate::{
    cli::Failure,
    rig::{Client, Expected, Origin, blob, page},
};

/// How often a pull tells how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What an agent is told, a line of JSON each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// Serve a file as a registry does, from now on.
    Serve { listen: SocketAddr, file: PathBuf, digest: String },
    /// Tell what was served.
    Tally,
    /// Get a page.
    Page { url: String },
    /// Pull what has to be the same as a file.
    Pull { url: String, file: PathBuf, within_s: f64 },
}

/// What it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub(super) enum Answer {
    /// It serves.
    Serving,
    /// It served this.
    Served(Tally),
    /// The page.
    Page { status: u16, text: String },
    /// A pull goes on; another answer follows.
    Arriving { len_bytes: u64 },
    /// A pull is over.
    Pulled(Pulled),
    /// It could not be done.
    Failed { reason: String },
}

/// What was asked for and sent so far, of all blobs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    /// GETs, ranges included.
    pub(super) gets: u64,
    /// Bytes.
    pub(super) sent_bytes: u64,
}

/// A pull that was checked. Times of day are seconds since 1970 by the machine's one clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pulled {
    /// When the first byte was asked for.
    pub(super) began_at_s: f64,
    /// When the last byte had been checked.
    pub(super) ended_at_s: f64,
    /// How long the first byte took.
    pub(super) first_byte_s: f64,
}

impl Tally {
    fn of(origin: &Origin) -> Self {
        let tally = origin.tally();
        Self { gets: tally.gets_by_blob.values().sum(), sent_bytes: tally.blob_bytes }
    }

    /// What came on top of `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self { gets: self.gets - earlier.gets, sent_bytes: self.sent_bytes - earlier.sent_bytes }
    }
}

/// Takes orders until there are no more.
pub(crate) fn serve() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(obey())
}

async fn obey() -> Result<(), Failure> {
    let mut origin = None;
    // What is served goes on meanwhile.
    while let Some(line) = spawn_blocking(|| io::stdin().lines().next()).await? {
        let done = match serde_json::from_str(&line?)? {
            Order::Serve { listen, file, digest } => start(&mut origin, listen, file, &digest).await,
            Order::Tally => Ok(Answer::Served(origin.as_ref().map(Tally::of).unwrap_or_default())),
            Order::Page { url } => fetch(&url).await,
            Order::Pull { url, file, within_s } => pull_within(&url, &file, within_s).await,
        };
        tell(&done.unwrap_or_else(|failure| Answer::Failed { reason: failure.to_string() }))?;
    }
    Ok(())
}

async fn start(
    origin: &mut Option<Origin>,
    listen: SocketAddr,
    file: PathBuf,
    digest: &str,
) -> Result<Answer, Failure> {
    let blob = blob::known(&file, digest.parse()?)?;
    let serving = match origin.take() {
        Some(serving) if serving.address() == listen => serving,
        _ => Origin::serve(listen, None).await?,
    };
    serving.add(blob);
    *origin = Some(serving);
    Ok(Answer::Serving)
}

async fn fetch(url: &str) -> Result<Answer, Failure> {
    let page = page(url).await?;
    Ok(Answer::Page { status: page.status, text: page.text })
}

async fn pull_within(url: &str, file: &Path, within_s: f64) -> Result<Answer, Failure> {
    let (progress, arriving) = watch::channel(0);
    let pull = tokio::time::timeout(Duration::from_secs_f64(within_s), pull(url, file, &progress));
    tokio::select! {
        pulled = pull => match pulled {
            Ok(pulled) => Ok(Answer::Pulled(pulled?)),
            Err(_) => Err(format!("{url}: not done after {within_s:.0} s").into()),
        },
        failure = tell_progress(arriving) => Err(failure),
    }
}

async fn pull(url: &str, file: &Path, progress: &watch::Sender<u64>) -> Result<Pulled, Failure> {
    let file = File::open(file).map_err(|error| format!("cannot open {}: {error}", file.display()))?;
    let began_at_s = seconds_now();
    let mut client = Client::connect(url).await?;
    let arrived = |len_bytes| progress.send_modify(|all| *all += len_bytes);
    let got = client.pull(url, Expected::File(&file), arrived).await?;
    let first_byte_s = got.first_byte.as_secs_f64();
    Ok(Pulled { began_at_s, ended_at_s: seconds_now(), first_byte_s })
}

/// Never ends but by a failure: the pull beside it does.
async fn tell_progress(mut arriving: watch::Receiver<u64>) -> Failure {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        if arriving.changed().await.is_err() {
            return future::pending().await;
        }
        let len_bytes = *arriving.borrow_and_update();
        if let Err(failure) = tell(&Answer::Arriving { len_bytes }) {
            return failure;
        }
    }
}

fn tell(answer: &Answer) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(io::stdout().write_all(&line)?)
}

/// The time of day.
pub(super) fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
