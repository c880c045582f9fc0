//! HTTP/1.1 as the mirror and the admin page share it: bounded connections, timers that run, and an end that a client
//! can tell from a fault.
//!
//! Every connection ends with FIN, whatever went wrong: a runtime that sees a reset fails the pull, one that sees a
//! short read goes on elsewhere. Only a client that keeps sending into a finished connection can provoke a reset.
//!
//! One task accepts; each connection is a task of its own and owns its socket.

mod close;
mod connection;
mod flush;
#[cfg(test)]
pub(crate) mod test_client;
mod watched;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::flush::{FlushGate, FlushMark};
use crate::metrics::ConnectionMetrics;

/// Connections over the limit that are told so at a time; any more are just closed.
const MAX_REFUSALS_AT_A_TIME: usize = 64;
/// Pause after a failed `accept`, which fails again at once while file descriptors are short.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What clients of a listener may take up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; one more is answered 503 and closed.
    pub max_connections: usize,
    /// From awaiting a request, on a new connection or an idle one, until its headers are complete.
    pub header_timeout: Duration,
    /// How long a client may leave an answer unread before its connection is closed.
    pub write_stall_timeout: Duration,
    /// How long running answers may go on after the stop.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            // containerd itself gives up a pull without progress after five minutes.
            write_stall_timeout: Duration::from_secs(300),
            stop_timeout: Duration::from_secs(20),
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a handler knows of the connection that a request came over.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Tells when everything written so far has left for the kernel.
    pub(crate) flush: Arc<FlushGate>,
    /// Cancelled when the time for running answers is over: bodies end now.
    pub(crate) cut: CancellationToken,
    /// Whether the client runs on this host.
    pub(crate) is_from_here: bool,
}

/// Answers requests.
pub(crate) trait Handler: Clone + Send + Sync + Unpin + 'static {
    /// Body of the answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers one request. The future is dropped when the client leaves.
    fn handle(
        &self,
        request: Request<Incoming>,
        connection: Connection,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Whether a request announces a body, in any of the ways that two servers in a row can read differently.
pub(crate) fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// Answers on `listener` until `shutdown`, then lets running answers finish within `limits.stop_timeout`.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: Limits,
    metrics: ConnectionMetrics,
    shutdown: CancellationToken,
) {
    let cut = CancellationToken::new();
    let cut_if_dropped = cut.clone().drop_guard();
    let tasks = TaskTracker::new();
    let server = Server {
        handler,
        slots: Arc::new(Semaphore::new(limits.max_connections)),
        refusals: Arc::new(Semaphore::new(MAX_REFUSALS_AT_A_TIME)),
        limits,
        metrics,
        shutdown,
        cut,
    };
    while let Some(stream) = server.accept(&listener).await {
        server.start(stream, &tasks);
    }
    drop(listener);
    tasks.close();
    let in_time = tokio::time::timeout(server.limits.stop_timeout, tasks.wait()).await.is_ok();
    drop(cut_if_dropped);
    if !in_time {
        // Each task ends by itself within the times that its closing has.
        tasks.wait().await;
    }
}

struct Server<H> {
    handler: H,
    slots: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    limits: Limits,
    metrics: ConnectionMetrics,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl<H: Handler> Server<H> {
    /// The next connection; `None` once the server is to stop.
    async fn accept(&self, listener: &TcpListener) -> Option<TcpStream> {
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => return stream,
                    Err(error) => tracing::warn!(%error, "could not accept a connection; trying again"),
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        };
        self.shutdown.run_until_cancelled(accept).await
    }

    fn start(&self, stream: TcpStream, tasks: &TaskTracker) {
        // Headers and the end of a body must not wait for a segment to fill.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before its first request");
            return;
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return self.refuse(stream, tasks);
        };
        let open = self.metrics.open();
        let connection = connection::drive(
            stream,
            self.handler.clone(),
            self.limits.clone(),
            self.shutdown.clone(),
            self.cut.clone(),
        );
        tasks.spawn(async move {
            connection.await;
            drop((slot, open));
        });
    }

    fn refuse(&self, mut stream: TcpStream, tasks: &TaskTracker) {
        self.metrics.refused();
        if let Ok(slot) = self.refusals.clone().try_acquire_owned() {
            tasks.spawn(async move {
                // Fits any socket buffer; should it fail, the client sees the close all the same.
                let _ = stream.write_all(REFUSAL).await;
                close::with_fin(stream).await;
                drop(slot);
            });
        }
    }
}
