//! One connection, from its first request to its end.

use std::{convert::Infallible, future::poll_fn, net::IpAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Connection, FlushGate, Handler, Limits, close, watched::Watched};

/// Holds any headers a runtime sends, and bounds what a connection buffers (hyper alone goes to 417 KB).
const MAX_BUFFER_BYTES: usize = 16 * 1024;
/// From the cut until a connection that can't flush its last bytes is closed all the same.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// Answers the requests of one connection, then closes it with FIN.
pub(super) async fn drive<H: Handler>(
    stream: TcpStream,
    handler: H,
    limits: Limits,
    shutdown: CancellationToken,
    cut: CancellationToken,
) {
    let ends = stream.peer_addr().and_then(|client| Ok((client.ip(), stream.local_addr()?.ip())));
    let is_from_here = ends.is_ok_and(|(client, server)| is_from_here(client, server));
    let context = Connection { flush: Arc::new(FlushGate::default()), cut: cut.clone(), is_from_here };
    let socket = Watched::new(stream, context.flush.clone(), limits.write_stall_timeout);
    let service = service_fn(move |request| {
        let (handler, context) = (handler.clone(), context.clone());
        Box::pin(async move { Ok::<_, Infallible>(handler.handle(request, context).await) })
    });
    let mut connection = builder(&limits).serve_connection(TokioIo::new(socket), service);

    let given_up = async {
        cut.cancelled().await;
        tokio::time::sleep(CUT_GRACE).await;
    };
    tokio::pin!(given_up);
    let mut stopping = false;
    loop {
        tokio::select! {
            // hyper is not to shut the socket: a failed body must end with FIN just as a whole one does.
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                break;
            }
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut given_up => break,
        }
    }
    // Taking the socket drops the service and the body, and with them whatever still produced bytes.
    let socket = connection.into_parts().io.into_inner();
    close::with_fin(socket.into_inner()).await;
}

/// A client of this host comes from a loopback address, or from the very address that it connected to.
fn is_from_here(client: IpAddr, server: IpAddr) -> bool {
    client.to_canonical().is_loopback() || client == server
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_BUFFER_BYTES);
    builder
}

#[cfg(test)]
mod tests {
    use super::is_from_here;

    #[test]
    fn only_this_host_is_here() {
        for (client, server, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.7", "127.0.0.1", true),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", true),
            ("::1", "::1", true),
            ("10.0.0.5", "10.0.0.5", true),
            ("10.0.0.6", "10.0.0.5", false),
            ("::ffff:10.0.0.6", "::ffff:10.0.0.5", false),
            ("fe80::1", "fe80::2", false),
        ] {
            let found = is_from_here(client.parse().unwrap(), server.parse().unwrap());
            assert_eq!(found, expected, "{client} to {server}");
        }
    }
}
