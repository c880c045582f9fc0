//! What every measurement over loopback is told.

use std::path::PathBuf;

use serde::Serialize;

use crate::{record::OutputArgs, units::Bytes};

/// How much is moved, how often, and where it lies.
#[derive(Debug, clap::Args, Serialize)]
pub(super) struct CopyArgs {
    /// Length of the large blob, which stays in memory as long as there is enough
    #[arg(long, default_value = "4GiB")]
    pub(super) bytes: Bytes,
    /// Length of its pieces [default: as any node would cut it]
    #[arg(long)]
    pub(super) piece: Option<Bytes>,
    /// Rounds; in each, everything that is compared is measured once
    #[arg(long, default_value_t = 5)]
    pub(super) runs: u32,
    /// Folder for everything that is stored, which is removed at the end
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(super) folder: PathBuf,
    #[command(flatten)]
    #[serde(skip)]
    pub(super) output: OutputArgs,
}
