//! Sockets of runtimes on this host.

use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::doctor::Context;

/// The first of `paths` that is there.
pub(super) fn first_of(context: &Context, paths: &[&str]) -> Option<PathBuf> {
    paths.iter().map(|path| context.on_disk(path)).find(|path| path.exists())
}

/// Connects to the socket at `path`.
pub(super) async fn connect(path: &Path) -> Result<UnixStream, String> {
    let connected = UnixStream::connect(path).await;
    connected.map_err(|error| format!("can't connect to {}: {error}", path.display()))
}
