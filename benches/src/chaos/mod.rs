//! `shoal-bench chaos`: many small worlds in which anything may go wrong at once. A world that breaks a rule is told
//! by its random seed, which runs it again.

mod draw;

use std::time::Duration;

use serde::Serialize;

pub use draw::draw;

use crate::{
    cli::Failure,
    record::{OutputArgs, Run, Session},
    sim::{
        parallel,
        world::{Bug, World},
    },
};

/// Once the last fault is over, everyone is done after this long, or never will be.
const LIMIT: Duration = Duration::from_secs(120);
/// How often progress is told, in worlds.
const TELL_EVERY: u64 = 500;
const CASE: &str = "worlds";

/// Run many small worlds with random faults, and check them all the time
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct ChaosArgs {
    /// Worlds to run
    #[arg(long, default_value_t = 2000)]
    pub seeds: u64,
    /// The first random seed
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
    /// A fault planted in the code around the machines, to see that a checker finds it
    #[arg(long, value_enum)]
    pub bug: Option<Bug>,
    /// Worlds to run at the same time [default: one for each core]
    #[arg(long)]
    pub threads: Option<usize>,
    #[command(flatten)]
    #[serde(skip)]
    output: OutputArgs,
}

/// Runs the worlds; those that broke a rule are named in the error.
///
/// # Errors
/// When the record can't be kept, or a world broke a rule.
pub fn run(args: &ChaosArgs) -> Result<(), Failure> {
    let mut session = Session::begin("chaos", args, &args.output)?;
    let seeds: Vec<u64> = (args.first_seed..args.first_seed.saturating_add(args.seeds)).collect();
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (mut broken, mut done) = (Vec::new(), 0);
    parallel::each(
        &seeds,
        threads,
        |seed| violations(*seed, args.bug),
        |seed, violations| {
            broken.extend(
                violations.into_iter().map(|what| format!("{what}\n  again: {}", replay(*seed, args.bug))),
            );
            done += 1;
            if done % TELL_EVERY == 0 {
                session.say(&format!("{done} worlds, {} broken", broken.len()));
            }
            Ok::<(), Failure>(())
        },
    )?;
    let figures = Run::new(CASE, 1).with("worlds", done as f64).with("broken", broken.len() as f64);
    session.add(figures)?;
    session.finish(CASE)?;
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}

/// What the world of this random seed did that should never happen.
pub fn violations(seed: u64, bug: Option<Bug>) -> Vec<String> {
    match World::new(draw(seed, bug)) {
        Ok(mut world) => {
            world.run(LIMIT);
            world.outcome().violations.clone()
        }
        Err(error) => vec![format!("no world: {error}")],
    }
}

fn replay(seed: u64, bug: Option<Bug>) -> String {
    let bug = bug.and_then(|bug| clap::ValueEnum::to_possible_value(&bug));
    let bug = bug.map(|bug| format!(" --bug {}", bug.get_name())).unwrap_or_default();
    format!("shoal-bench chaos --first-seed {seed} --seeds 1{bug}")
}
