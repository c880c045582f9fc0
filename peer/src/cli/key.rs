//! `shoal key`.

use std::path::Path;

use shoal_protocol::membership::ClusterKey;

use super::exit::{CliError, Exit};

/// Prints a new cluster key.
pub(super) fn print_new() -> Result<(), CliError> {
    let mut root = [0; 32];
    getrandom::fill(&mut root).map_err(|error| {
        CliError::new(Exit::CouldNotRun, format!("the system gives no random bytes for a key: {error}"))
    })?;
    super::print(&format!("{}\n", ClusterKey::from_root(root).to_text()))
}

/// Prints the member key of the cluster key in `file`.
pub(super) fn print_member(file: &Path) -> Result<(), CliError> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        CliError::new(Exit::CouldNotRun, format!("can't read the cluster key {shown}: {error}"))
    })?;
    let key = ClusterKey::parse(&text)
        .map_err(|error| CliError::new(Exit::Failure, format!("{shown} holds no cluster key: {error}")))?;
    super::print(&format!("{}\n", key.member_only().to_text()))
}
