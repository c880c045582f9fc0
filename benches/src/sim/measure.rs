//! One world, and its figures.

use std::time::{Duration, Instant};

use super::{
    args::SimArgs,
    world::{Outcome, Setup, World},
};
use crate::{bound::Crowd, cli::Failure, record::Run};

/// The one case of a simulation.
pub(super) const CASE: &str = "shoal";
/// What a control message costs beside its frame when it travels alone: a yamux header, a TLS record, and TCP, IP and
/// Ethernet headers.
const MESSAGE_OVERHEAD_BYTES: u64 = 12 + 22 + 66;
/// A world whose nodes have not finished after this many times the bound has failed.
const PATIENCE: f64 = 50.0;
/// How often a world that takes long says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(20);

pub(super) fn run(args: &SimArgs, nodes: usize, random_seed: u64) -> Result<Run, Failure> {
    let began = Instant::now();
    let setup = args.setup(nodes, random_seed);
    let mut world = World::new(setup)?;
    let bound_s = bound_s(world.setup(), world.piece_count());
    let limit = Duration::from_secs_f64((bound_s * PATIENCE).max(60.0));
    world.run_watched(limit, progress(random_seed, wanted_bytes(&world)));
    let mut run = figures(&world, bound_s);
    run.seed = Some(random_seed);
    run.figures.insert("wall_s".into(), began.elapsed().as_secs_f64());
    Ok(run)
}

/// Says now and then how far a world is.
fn progress(random_seed: u64, wanted_bytes: f64) -> impl FnMut(&Outcome) {
    let began = Instant::now();
    let mut said = began;
    move |outcome| {
        if said.elapsed() < SAY_EVERY {
            return;
        }
        said = Instant::now();
        let percent = outcome.piece_bytes as f64 / wanted_bytes * 100.0;
        let elapsed_s = began.elapsed().as_secs();
        eprintln!("sim: random seed {random_seed}: {percent:.0} % of the bytes after {elapsed_s} s");
    }
}

/// What all nodes need that do not have it at the beginning.
fn wanted_bytes(world: &World) -> f64 {
    let receivers = world.lasting_peers().filter(|node| *node >= world.setup().holders).count();
    world.setup().blobs_bytes.iter().sum::<u64>() as f64 * receivers.max(1) as f64
}

/// When the last of equal nodes can have everything, at best, and never before the origin has sent it all. With slow
/// nodes it is that of the others.
fn bound_s(setup: &Setup, pieces: u32) -> f64 {
    let is_cold = setup.holders == 0;
    let origin_bytes_per_s = if is_cold { setup.origin_bytes_per_s } else { u64::MAX };
    let count = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
    let crowd = Crowd {
        blob_bytes: setup.blobs_bytes.iter().sum(),
        pieces,
        rate_bytes_per_s: setup.link_bytes_per_s.min(origin_bytes_per_s),
        sources: count(setup.holders.max(1)),
        receivers: count(setup.nodes() - setup.holders.max(setup.seeds)),
    };
    crowd.bound_s()
}

fn figures(world: &World, bound_s: f64) -> Run {
    let (setup, outcome) = (world.setup(), world.outcome());
    let blob_bytes: u64 = setup.blobs_bytes.iter().sum();
    let waiting = || world.lasting_peers().filter(|node| *node >= setup.holders);
    let seconds = |node: usize| outcome.completed(node).map(|at| at.as_micros() as f64 / 1e6);
    let mut times: Vec<f64> =
        waiting().filter(|node| !setup.has_slow_link(*node)).filter_map(seconds).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        times.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    let control_bytes = outcome.message_bytes + outcome.messages * MESSAGE_OVERHEAD_BYTES;
    let delivered_bytes = outcome.piece_bytes.max(1) as f64;
    let pieces = f64::from(world.piece_count()) * waiting().count().max(1) as f64;
    let mut run = Run::new(CASE, 1)
        .with("bound_s", bound_s)
        .with("p50_s", at(0.5))
        .with("p99_s", at(0.99))
        .with("p999_s", at(0.999))
        .with("max_s", at(1.0))
        .with("p50_over_bound", at(0.5) / bound_s)
        .with("p99_over_bound", at(0.99) / bound_s)
        .with("p999_over_bound", at(0.999) / bound_s)
        .with("max_over_bound", at(1.0) / bound_s)
        .with("p99_over_p50", at(0.99) / at(0.5))
        .with("origin_gets_per_blob", outcome.pulls as f64 / setup.blobs_bytes.len() as f64)
        .with("origin_bytes_ratio", outcome.origin_bytes as f64 / blob_bytes.max(1) as f64)
        .with("seed_bytes_ratio", outcome.seed_bytes as f64 / blob_bytes.max(1) as f64)
        .with("control_share", control_bytes as f64 / delivered_bytes)
        .with("messages_per_piece", outcome.messages as f64 / pieces)
        .with("duplicate_share", outcome.duplicate_pieces as f64 / pieces);
    if setup.zones.is_some() {
        let cross_zone = outcome.cross_zone_bytes as f64 / blob_bytes.max(1) as f64;
        run = run.with("cross_zone_ratio", cross_zone);
    }
    if let Some(slow) = setup.slow {
        let slowest =
            waiting().filter(|node| setup.has_slow_link(*node)).filter_map(seconds).fold(0.0, f64::max);
        run = run.with("slow_max_over_bound", slowest * slow.factor / bound_s);
    }
    run.series.insert("completion_s".into(), times);
    run.notes.clone_from(&outcome.violations);
    run
}
