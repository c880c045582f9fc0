//! What measurements are put together from: a registry that counts, a client that checks, processes, nodes of Shoal.
//!
//! Whatever is started here ends with the value that stands for it, by its id. Every wait has a deadline.

pub mod blob;
mod check;
mod client;
mod memory;
mod metrics;
mod node;
mod process;
mod stop;

use std::{
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

pub use check::Expected;
pub use client::{Client, Got, Page, PullError, page};
pub use memory::KeptMemory;
pub use metrics::Metrics;
pub use node::{NodeFiles, NodePlan, Ports, new_cluster_key, shoal_binary};
pub use process::{Process, Usage};
pub use shoal_peer::demo::{Origin, Part as Blob};
pub use stop::unless_stopped;

/// Name of the repository of everything that is measured.
pub const REPOSITORY: &str = "bench/blob";
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A part could not be put up.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The system refused.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried, and with what.
        what: String,
        /// Its reason.
        source: io::Error,
    },
    /// The program that is measured is not where it was looked for.
    #[error(
        "there is no {}: build it with `cargo build --release -p shoal-peer`, or name it with --shoal",
        .0.display()
    )]
    NoShoal(PathBuf),
    /// A program ended that should have gone on.
    #[error("{name} ended by itself ({status}); it printed last:\n{output}")]
    Ended {
        /// Which one.
        name: String,
        /// How.
        status: String,
        /// The end of its output.
        output: String,
    },
    /// A program failed that had to succeed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// As it was called.
        command: String,
        /// What it said.
        output: String,
    },
    /// A helper of ours could not do what it was told.
    #[error("{who}: {reason}")]
    Helper {
        /// Which one.
        who: String,
        /// What it said.
        reason: String,
    },
    /// Something did not come about in time.
    #[error("waited {} s in vain for {what}", within.as_secs())]
    Late {
        /// What.
        what: String,
        /// For how long.
        within: Duration,
    },
}

impl RigError {
    /// For `map_err`: names what was tried.
    pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// Looks again and again until `probe` says yes, or an error, or `within` has passed.
///
/// # Errors
/// The probe's, or [`RigError::Late`].
pub async fn until<E: From<RigError>>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<bool, E>,
) -> Result<(), E> {
    let began = Instant::now();
    while !probe().await? {
        if began.elapsed() > within {
            return Err(RigError::Late { what: what.into(), within }.into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
