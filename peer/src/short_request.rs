//! One HTTP request on a connection of its own: for commands that ask a node or a runtime something short.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;

/// What can go wrong is told and not acted on.
pub(crate) type ShortRequestError = Box<dyn std::error::Error + Send + Sync>;

/// Sends `request` over `stream`, and reads an answer whose body has at most `max_bytes`. Waits for as long as that
/// takes.
///
/// # Errors
/// When the other side does not speak HTTP, breaks off, or sends more.
pub(crate) async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<Response<Bytes>, ShortRequestError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, max_bytes).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
