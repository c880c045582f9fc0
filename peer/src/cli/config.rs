//! `shoal config`, and the configuration of the commands that run a node.

use crate::config::{self, Effective, Inputs};

use super::{
    args::NodeArgs,
    exit::{CliError, Exit},
};

/// Prints the effective configuration.
pub(super) fn print(args: NodeArgs) -> Result<(), CliError> {
    let effective = load(args)?;
    super::print(&config::show(&effective))
}

/// The configuration that `args`, the environment and the file make together.
pub(super) fn load(args: NodeArgs) -> Result<Effective, CliError> {
    let inputs = Inputs::of_process(args.config, args.flags);
    config::load(&inputs).map_err(|error| CliError::new(Exit::Usage, error))
}
