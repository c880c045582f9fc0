//! How the process ends, and what it says then.

use std::{fmt, process::ExitCode};

/// What the exit code means to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It ran, and what it was for did not come about.
    Failure = 1,
    /// What was asked for makes no sense: flags, variables or the configuration.
    Usage = 2,
    /// It could not begin: something that it needs here is missing, taken or not allowed.
    CouldNotRun = 3,
}

/// Why a command did not do what it is for.
#[derive(Debug)]
pub(super) struct CliError {
    exit: Exit,
    message: String,
}

impl CliError {
    /// `message` says what went wrong, with what, and what to do.
    pub(super) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }
}

/// Says what went wrong, if anything did.
pub(super) fn report(outcome: Result<(), CliError>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    anstream::eprintln!("shoal: {}", error.message);
    ExitCode::from(error.exit as u8)
}

/// Help that was asked for is what the command is for; a wrong command line is not.
pub(super) fn of_usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do when the terminal has gone away.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Exit::Usage as u8) } else { ExitCode::SUCCESS }
}
