//! `shoal preheat`.

mod node;
mod show;

use std::{io::Read, path::PathBuf, time::Duration};

use clap::Args;

use crate::preheat::{JobReport, JobState, Order, Request, images_of};

use super::{
    exit::{CliError, Exit},
    print, runtime,
    signals::StopSignals,
};
use node::{AskError, NodeApi};
use show::Show;

/// Pause between two looks at a job.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks in a row that may fail: a node that restarts has forgotten its jobs anyway.
const MAX_FAILED_LOOKS: u32 = 5;
/// Longer than what `kubectl get pods -A -o yaml` says of a large cluster.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct PreheatArgs {
    /// Images to fetch: debian, ghcr.io/owner/name:tag, name@sha256:…
    #[arg(value_name = "IMAGE", required_unless_present = "from")]
    images: Vec<String>,
    /// File with images: one a line, or Kubernetes manifests; - is standard input
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// What to fetch of images for several platforms, or all [default: linux of the node's architecture]
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT]")]
    platforms: Vec<String>,
    /// Have the nodes of this zone fetch: all, or as many as --nodes says
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Have so many nodes fetch, the same ones for the same order [default: the node at --via]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Admin address of the node that fetches, or has others fetch
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5023")]
    via: NodeApi,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Has a node fetch images, shows how it goes, and fails when one could not be had.
pub(super) fn preheat(args: &PreheatArgs) -> Result<(), CliError> {
    let request = request(args)?;
    runtime()?.block_on(run(args, &request))
}

/// Every image that the command line and its files name. What is wrong is said here, before a node is asked.
fn request(args: &PreheatArgs) -> Result<Request, CliError> {
    let mut images = args.images.clone();
    for file in &args.from {
        images.extend(images_in(file)?);
    }
    let (platforms, zone, nodes) = (args.platforms.clone(), args.zone.clone(), args.nodes);
    let request = Request { images, platforms, zone, nodes };
    let order = Order::try_from(&request).map_err(|error| CliError::new(Exit::Usage, error))?;
    // As the node reads them: each once, by its full name.
    Ok(Request { images: order.images.iter().map(ToString::to_string).collect(), ..request })
}

fn images_in(file: &PathBuf) -> Result<Vec<String>, CliError> {
    let shown = file.display();
    let text = if file.as_os_str() == "-" {
        read(std::io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(read)
    };
    let text =
        text.map_err(|error| CliError::new(Exit::CouldNotRun, format!("can't read {shown}: {error}")))?;
    images_of(&text).map_err(|error| CliError::new(Exit::Usage, format!("{shown}: {error}")))
}

fn read(source: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    let read_bytes = source.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if read_bytes as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

async fn run(args: &PreheatArgs, request: &Request) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let job = args.via.start(request).await.map_err(|error| told(&error))?;
    let mut show = Show::new();
    let ended = tokio::select! {
        ended = follow(&args.via, &job.id, &mut show) => ended,
        () = signals.next() => args.via.cancel(&job.id).await,
    };
    let ended = ended.map_err(|error| told(&error))?;
    show.end();
    print(&if args.json { show::json(&ended) } else { show::text(&ended) })?;
    outcome(&ended)
}

/// Looks at the job until it has ended.
async fn follow(node: &NodeApi, id: &str, show: &mut Show) -> Result<JobReport, AskError> {
    let mut failed_looks = 0;
    loop {
        match node.look(id).await {
            Ok(report) => {
                failed_looks = 0;
                show.update(&report);
                if report.state.is_end() {
                    return Ok(report);
                }
            }
            Err(error @ AskError::Unreachable { .. }) => {
                failed_looks += 1;
                if failed_looks >= MAX_FAILED_LOOKS {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn outcome(ended: &JobReport) -> Result<(), CliError> {
    let message = match ended.state {
        JobState::Done => return Ok(()),
        JobState::Running | JobState::Failed => "not every image is here: each line above says why",
        JobState::Cancelled => "cancelled; what has come is kept, and the same command goes on from there",
    };
    Err(CliError::new(Exit::Failure, message))
}

/// What a failed question means to whoever gave the order.
fn told(error: &AskError) -> CliError {
    match error {
        AskError::Refused { status, .. } if status.is_client_error() && status.as_u16() != 404 => {
            CliError::new(Exit::Usage, error)
        }
        AskError::Refused { .. } => CliError::new(Exit::Failure, error),
        AskError::Unreachable { .. } | AskError::Nonsense { .. } => CliError::new(Exit::CouldNotRun, error),
    }
}
