//! Ends work early without leaving anything behind.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Failure;

/// Does `work` on this thread unless the process is told to stop: then it is dropped, with all that it made.
///
/// # Errors
/// The work's own, or that it was stopped.
pub fn unless_stopped<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            ended = work => ended,
            _ = interrupt.recv() => Err("interrupted".into()),
            _ = terminate.recv() => Err("told to stop".into()),
            _ = hangup.recv() => Err("the terminal is gone".into()),
        }
    })
}
