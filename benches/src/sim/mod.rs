//! `shoal-bench sim`: swarms of real machines in virtual time.

mod args;
mod measure;
pub(crate) mod parallel;
pub mod world;

pub use args::SimArgs;

use crate::{
    cli::Failure,
    record::{OutputArgs, Session},
};

/// Runs one world for each number of nodes and each random seed, and sums up those of each number.
///
/// # Errors
/// When the blob can't be cut as asked, a record can't be kept, or a world broke a rule.
pub fn run(args: &SimArgs) -> Result<(), Failure> {
    let [nodes] = args.nodes.as_slice() else {
        return args.nodes.iter().try_for_each(|nodes| {
            let output = args.output.part("sim", &format!("{nodes}-nodes"));
            run_with(&args.with_nodes(*nodes), *nodes, &output)
        });
    };
    run_with(args, *nodes, &args.output)
}

fn run_with(args: &SimArgs, nodes: usize, output: &OutputArgs) -> Result<(), Failure> {
    let mut session = Session::begin("sim", args, output)?;
    let seeds: Vec<u64> = (args.first_seed..args.first_seed + args.seeds).collect();
    let mut broken = Vec::new();
    parallel::each(
        &seeds,
        args.threads,
        |seed| measure::run(args, nodes, *seed),
        |seed, result| {
            let mut run = result?;
            run.run = u32::try_from(seed - args.first_seed + 1).unwrap_or(u32::MAX);
            broken
                .extend(run.notes.iter().map(|what| format!("{what}; again: {}", args.replay(nodes, *seed))));
            session.add(run).map_err(Failure::from)
        },
    )?;
    session.finish(measure::CASE)?;
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}
