//! `shoal-bench sim`: swarms of real machines in virtual time.

mod args;
mod measure;
pub(crate) mod parallel;
pub mod world;

pub use args::SimArgs;

use crate::{cli::Failure, record::Session};

/// Runs one world for each random seed and sums them up.
///
/// # Errors
/// When the blob can't be cut as asked, the record can't be kept, or a world broke a rule.
pub fn run(args: &SimArgs) -> Result<(), Failure> {
    let mut session = Session::begin("sim", args, &args.output)?;
    let seeds: Vec<u64> = (args.first_seed..args.first_seed + args.seeds).collect();
    let mut broken = Vec::new();
    parallel::each(
        &seeds,
        args.threads,
        |seed| measure::run(args, *seed),
        |seed, result| {
            let mut run = result?;
            run.run = u32::try_from(seed - args.first_seed + 1).unwrap_or(u32::MAX);
            broken.extend(run.notes.iter().map(|what| format!("{what}; again: {}", args.replay(*seed))));
            session.add(run).map_err(Failure::from)
        },
    )?;
    session.finish(measure::CASE)?;
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}
