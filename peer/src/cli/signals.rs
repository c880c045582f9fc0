//! The signals that stop a node: the first one gracefully, the second one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{CliError, Exit};

/// Listens for SIGINT and SIGTERM from its creation on.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Starts to listen.
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            let failed =
                |error| CliError::new(Exit::CouldNotRun, format!("can't listen for signals: {error}"));
            signal(kind).map_err(failed)
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
