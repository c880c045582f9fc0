//! The command `shoal-bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shoal_benches::cli::main()
}
