//! What is asked on the command line, and how the process ends.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{chaos, loopback, report, sim};

/// How close Shoal comes to what links, processors and disks allow.
#[derive(Debug, Parser)]
#[command(name = "shoal-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sim(sim::SimArgs),
    Chaos(chaos::ChaosArgs),
    /// Show what records say, and compare two of them
    Report(report::ReportArgs),
    /// What one machine can do: lanes, a fetch from node to node, and hits, each beside the leanest copy
    Loopback(loopback::Args),
    Lab(Box<crate::lab::LabArgs>),
    #[command(hide = true)]
    LabAgent,
    Latency(crate::latency::LatencyArgs),
}

/// Why a measurement came to nothing; shown to the user as it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("shoal-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Loopback(args) => loopback::run(args),
        Command::Lab(args) => crate::lab::run(&args),
        Command::LabAgent => crate::lab::serve_lab(),
        Command::Latency(args) => crate::latency::run(&args),
    }
}
