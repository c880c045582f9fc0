//! The membership proof, four messages of fixed size over TLS:
//!
//! ```text
//! initiator → responder   version, nonce   (1 + 32 bytes)
//! responder → initiator   version, nonce   (1 + 32 bytes)
//! initiator → responder   proof            (32 bytes)
//! responder → initiator   proof            (32 bytes)
//! ```
//!
//! A proof covers both identities, both nonces and a key exported from the TLS session, so it can be neither replayed,
//! nor reflected, nor relayed through somebody in the middle.

use std::io;

use shoal_protocol::{
    identity::NodeId,
    membership::{Handshake, Proof, Side},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsStream;

use super::{Credentials, SecureError};

/// Version of the handshake that this node speaks.
pub(super) const VERSION: u8 = 1;
/// Label of the key exported from the TLS session.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-shoal-membership";

type Nonce = [u8; 32];

/// The initiator's half: proves first.
pub(super) async fn initiate<S>(
    stream: &mut TlsStream<S>,
    credentials: &Credentials,
    responder: NodeId,
) -> Result<(), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let initiator_nonce = send_hello(stream).await?;
    let responder_nonce = read_hello(stream, responder).await?;
    let handshake = Handshake {
        initiator: credentials.node_id(),
        responder,
        initiator_nonce,
        responder_nonce,
        channel_binding: channel_binding(stream)?,
    };
    send_proof(stream, credentials.cluster().proof(Side::Initiator, &handshake)).await?;
    let theirs =
        read_proof(stream).await.map_err(|source| SecureError::Refused { node: responder, source })?;
    check(credentials, Side::Responder, &handshake, &theirs)
}

/// The responder's half: proves nothing to somebody who has not proved it all.
pub(super) async fn respond<S>(
    stream: &mut TlsStream<S>,
    credentials: &Credentials,
    initiator: NodeId,
) -> Result<(), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = read_hello(stream, initiator).await;
    // Also an initiator of another version is answered, so that it can tell its operator.
    let initiator_nonce = match hello {
        Err(error @ SecureError::Version { .. }) => {
            send_hello(stream).await?;
            return Err(error);
        }
        other => other?,
    };
    let responder_nonce = send_hello(stream).await?;
    let handshake = Handshake {
        initiator,
        responder: credentials.node_id(),
        initiator_nonce,
        responder_nonce,
        channel_binding: channel_binding(stream)?,
    };
    let theirs = read_proof(stream).await.map_err(SecureError::Io)?;
    check(credentials, Side::Initiator, &handshake, &theirs)?;
    send_proof(stream, credentials.cluster().proof(Side::Responder, &handshake)).await
}

fn check(
    credentials: &Credentials,
    side: Side,
    handshake: &Handshake,
    proof: &Proof,
) -> Result<(), SecureError> {
    if credentials.cluster().verify_proof(side, handshake, proof) {
        return Ok(());
    }
    let node = match side {
        Side::Initiator => handshake.initiator,
        Side::Responder => handshake.responder,
    };
    Err(SecureError::WrongClusterKey { node })
}

async fn send_hello<S>(stream: &mut TlsStream<S>) -> Result<Nonce, SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [VERSION; 33];
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce).map_err(|error| SecureError::Io(io::Error::other(error)))?;
    hello[1..].copy_from_slice(&nonce);
    send(stream, &hello).await.map_err(SecureError::Io)?;
    Ok(nonce)
}

async fn read_hello<S>(stream: &mut TlsStream<S>, from: NodeId) -> Result<Nonce, SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [0; 33];
    stream.read_exact(&mut hello).await.map_err(SecureError::Io)?;
    let [version, nonce @ ..] = hello;
    if version != VERSION {
        return Err(SecureError::Version { node: from, theirs: version });
    }
    Ok(nonce)
}

async fn send_proof<S>(stream: &mut TlsStream<S>, proof: Proof) -> Result<(), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(stream, &proof.0).await.map_err(SecureError::Io)
}

async fn read_proof<S>(stream: &mut TlsStream<S>) -> io::Result<Proof>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut proof = [0; 32];
    stream.read_exact(&mut proof).await?;
    Ok(Proof(proof))
}

async fn send<S>(stream: &mut TlsStream<S>, message: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(message).await?;
    stream.flush().await
}

fn channel_binding<S>(stream: &TlsStream<S>) -> Result<[u8; 32], SecureError> {
    let exported = match stream {
        TlsStream::Client(stream) => stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, None),
        TlsStream::Server(stream) => stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, None),
    };
    exported.map_err(|error| SecureError::Tls(io::Error::other(error)))
}
