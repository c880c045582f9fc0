//! The handshake of lanes, after which both sides may go on in plaintext if both want that.
//!
//! It is agreed within TLS, by the application protocol, so nobody on the way can bring it about. The side that opened
//! sends nothing between its proof and the other's, so when it has that one, none of its raw bytes can have been taken
//! for TLS at the other end.

use shoal_protocol::identity::NodeId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsStream;

use super::{Credentials, HANDSHAKE_TIMEOUT, SecureError, SecureStream, accept_within, connect_by, tls};

/// A connection for a lane, after the handshake.
pub(crate) enum LaneStream<S> {
    /// Encrypted.
    Tls(Box<SecureStream<S>>),
    /// Both sides agreed to do without.
    Plaintext(S),
}

/// As [`connect`](super::connect), for a lane; `batch_bytes` is how much is encrypted before it goes to `S` in one call.
pub(crate) async fn connect_lane<S>(
    io: S,
    credentials: &Credentials,
    expected: NodeId,
    batch_bytes: usize,
) -> Result<LaneStream<S>, SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (_, mut stream) = connect_by(&credentials.0.lane_client, io, credentials, Some(expected)).await?;
    if let TlsStream::Client(stream) = &mut stream {
        stream.get_mut().1.set_buffer_limit(Some(batch_bytes));
    }
    Ok(into_lane(stream))
}

/// As [`accept`](super::accept), for a lane.
pub(crate) async fn accept_lane<S>(
    io: S,
    credentials: &Credentials,
) -> Result<(NodeId, LaneStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (node, stream) =
        accept_within(HANDSHAKE_TIMEOUT, &credentials.0.lane_server, io, credentials).await?;
    Ok((node, into_lane(stream)))
}

fn into_lane<S>(stream: SecureStream<S>) -> LaneStream<S> {
    if !tls::agreed_on_plaintext(&stream) {
        return LaneStream::Tls(Box::new(stream));
    }
    LaneStream::Plaintext(match stream {
        TlsStream::Client(stream) => stream.into_inner().0,
        TlsStream::Server(stream) => stream.into_inner().0,
    })
}
