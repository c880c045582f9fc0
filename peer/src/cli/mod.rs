//! The command line. What was asked for goes to standard output, everything else to standard error.

mod args;
mod config;
mod configure;
mod demo;
mod doctor;
mod exit;
mod import;
mod key;
mod preheat;
mod run;
mod signals;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use tokio::runtime::{self, Runtime};

use args::{Cli, Command, KeyCommand};
use exit::{CliError, Exit};
use shoal_protocol::membership::Role;

/// Does what the command line of this process says.
pub fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => dispatch(cli.command),
        Err(error) => return exit::of_usage(&error),
    };
    exit::report(outcome)
}

fn dispatch(command: Command) -> Result<(), CliError> {
    match command {
        Command::Peer(args) => run::node(args, Role::Peer),
        Command::Seed(args) => run::node(args, Role::Seed),
        Command::Demo(args) => demo::demo(&args),
        Command::Config(args) => config::print(args),
        Command::Doctor(args) => doctor::doctor(*args),
        Command::Configure(args) => configure::configure(&args),
        Command::Import(args) => import::import(&args),
        Command::Preheat(args) => preheat::preheat(&args),
        Command::Key { command: KeyCommand::New } => key::print_new(),
        Command::Key { command: KeyCommand::Member { file } } => key::print_member(&file),
    }
}

/// Writes what was asked for to standard output.
fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Failure, format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn runtime() -> Result<Runtime, CliError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CliError::new(Exit::CouldNotRun, format!("can't start worker threads: {error}")))
}
