//! `shoal-bench latency`: how long one request takes when nothing else goes on, by what is asked for and where it is.
//!
//! On loopback, with one seed, two peers and a registry of our own, each a process but the last. Every request is for
//! content that nobody asked for before, over a connection that is open already. Each thing is asked for four times:
//! of one peer, when only the origin has it (`cold`); of the other peer, when the seed and a peer have it (`peer`); of
//! that one again (`hit`); and of the origin itself, for comparison (`origin`). A last byte counts when the digest is
//! checked.

mod cluster;
mod things;

use std::path::PathBuf;

use crate::{
    cli::Failure,
    record::{Idle, OutputArgs, Run, Session, percentile},
    rig::{Blob, Client, Expected, shoal_binary, unless_stopped},
};
use clap::Args;
use cluster::Cluster;
use serde::Serialize;
use things::Thing;

/// So many new things are asked for cold before the same ones are asked for at the other peer.
const BATCH: u32 = 20;

/// Measures how long one request takes: a manifest and blobs, that the node has, that others have, that nobody has
#[derive(Clone, Debug, Args, Serialize)]
pub struct LatencyArgs {
    /// How many times each thing is asked for in each place
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub requests: u32,
    /// How many times all of it is done, with new nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// The program `shoal` [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub shoal: Option<PathBuf>,
    /// Folder for the data of all nodes, which is removed at the end [default: the system's temporary one]
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArgs,
}

/// Times of one thing in one place, in milliseconds.
#[derive(Debug, Default)]
struct Times {
    first_byte_ms: Vec<f64>,
    last_byte_ms: Vec<f64>,
}

/// Runs the command.
///
/// # Errors
/// When nodes can't be started or a request fails; when it was interrupted.
pub fn run(args: &LatencyArgs) -> Result<(), Failure> {
    unless_stopped(measure_all(args))
}

async fn measure_all(args: &LatencyArgs) -> Result<(), Failure> {
    let shoal = shoal_binary(args.shoal.as_deref())?;
    let mut session = Session::begin("latency", args, &args.output)?;
    for number in 1..=args.runs {
        let mut cluster = Cluster::start(&shoal, args.folder.as_deref()).await?;
        let idle = Idle::begin();
        let mut run = Run::new("shoal", number);
        for thing in Thing::ALL {
            session.say(&format!("run {number}: {} requests for each {}", args.requests, thing.name()));
            run = measure(run, thing, args.requests, &mut cluster).await?;
        }
        if let Some(idle) = idle.share() {
            run = run.with("idle_share", idle);
        }
        session.add(run)?;
    }
    session.finish("shoal")?;
    Ok(())
}

async fn measure(mut run: Run, thing: Thing, requests: u32, cluster: &mut Cluster) -> Result<Run, Failure> {
    let [mut cold, mut peer, mut hit, mut origin] = <[Times; 4]>::default();
    for first in (0..requests).step_by(BATCH as usize) {
        let batch = thing.make(cluster, BATCH.min(requests - first))?;
        cold.ask(thing, &batch, cluster.mirror_url(0)).await?;
        cluster.wait_announced(batch.len()).await?;
        peer.ask(thing, &batch, cluster.mirror_url(1)).await?;
        hit.ask(thing, &batch, cluster.mirror_url(1)).await?;
        origin.ask(thing, &batch, cluster.origin_url()).await?;
        for made in batch {
            std::fs::remove_file(made.path)?;
        }
    }
    for (place, times) in [("cold", cold), ("peer", peer), ("hit", hit), ("origin", origin)] {
        run = times.into_run(run, &format!("{place}_{}", thing.name()));
    }
    Ok(run)
}

impl Times {
    /// One after the other, on one connection.
    async fn ask(&mut self, thing: Thing, batch: &[Blob], base: String) -> Result<(), Failure> {
        let mut client = Client::connect(&base).await?;
        for made in batch {
            let expected = Expected::Digest(&made.digest);
            let got = client.pull(&thing.url(&base, &made.digest), expected, |_| {}).await?;
            self.first_byte_ms.push(got.first_byte.as_secs_f64() * 1e3);
            self.last_byte_ms.push(got.last_byte.as_secs_f64() * 1e3);
        }
        Ok(())
    }

    fn into_run(mut self, run: Run, name: &str) -> Run {
        self.first_byte_ms.sort_by(f64::total_cmp);
        self.last_byte_ms.sort_by(f64::total_cmp);
        let mut run = run
            .with(&format!("{name}_p50_ms"), percentile(&self.last_byte_ms, 50))
            .with(&format!("{name}_p99_ms"), percentile(&self.last_byte_ms, 99))
            .with(&format!("{name}_first_byte_p50_ms"), percentile(&self.first_byte_ms, 50))
            .with(&format!("{name}_first_byte_p99_ms"), percentile(&self.first_byte_ms, 99));
        run.series.insert(format!("{name}_ms"), self.last_byte_ms);
        run
    }
}
