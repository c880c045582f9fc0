//! Sockets of runtimes on this host.

use std::path::Path;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Connects to the socket at `path`.
pub(super) async fn connect(path: &Path) -> Result<TokioIo<UnixStream>, String> {
    let connected = UnixStream::connect(path).await;
    connected.map(TokioIo::new).map_err(|error| format!("can't connect to {}: {error}", path.display()))
}
