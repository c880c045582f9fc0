//! `shoal`: moves container image layers between the nodes of a cluster.

use std::process::ExitCode;

fn main() -> ExitCode {
    shoal_peer::cli::main()
}
