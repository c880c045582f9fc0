//! TCP, our own handshake, yamux: nobody who lacks the cluster key gets to speak anything else.
//!
//! Security and multiplexing are fixed by the handshake's version and not negotiated, so a stranger sees no list of
//! protocols and a member saves the round trips.

use std::{io, time::Duration};

use libp2p::{
    PeerId, Transport,
    core::{
        ConnectedPoint,
        muxing::StreamMuxerBox,
        transport::{Boxed, timeout::TransportTimeout},
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    },
    tcp, yamux,
};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::secure::{self, Credentials, SecureError};

/// Connecting and the whole handshake.
const SETUP_TIMEOUT: Duration = Duration::from_secs(15);
/// Streams at a time on one connection: gossip, control and a lane each way, the rest for queries. A stream that
/// nobody reads holds up to 256 KiB.
const MAX_STREAMS: usize = 128;
/// What yamux goes by where it is negotiated; here it only names it.
const YAMUX: &str = "/yamux/1.0.0";

/// The transport of a node with these credentials.
pub(super) fn transport(credentials: Credentials) -> Boxed<(PeerId, StreamMuxerBox)> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::new());
    let secured = tcp.and_then(move |stream: tcp::tokio::TcpStream, endpoint| {
        secure_and_multiplex(stream.into(), endpoint, credentials)
    });
    TransportTimeout::new(secured, SETUP_TIMEOUT).boxed()
}

async fn secure_and_multiplex(
    stream: TcpStream,
    endpoint: ConnectedPoint,
    credentials: Credentials,
) -> io::Result<(PeerId, StreamMuxerBox)> {
    secure::tune(&stream)?;
    let dialled = endpoint.is_dialer();
    let secured = if dialled {
        secure::connect(stream, &credentials, None).await
    } else {
        secure::accept(stream, &credentials).await
    };
    let (node, stream) = secured.map_err(|error| {
        // The usual mistake when a node is set up; from outside, the other node only sees a closed connection.
        if let SecureError::WrongClusterKey { .. } = error {
            tracing::warn!(address = %other_end(&endpoint), %error, "refused a connection");
        }
        io::Error::other(error)
    })?;
    let peer = secure::peer_id(&node).ok_or_else(|| io::Error::other("the node's key makes no peer id"))?;
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    let stream = stream.compat();
    let muxer = if dialled {
        config.upgrade_outbound(stream, YAMUX).await?
    } else {
        config.upgrade_inbound(stream, YAMUX).await?
    };
    Ok((peer, StreamMuxerBox::new(muxer)))
}

fn other_end(endpoint: &ConnectedPoint) -> &libp2p::Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { send_back_addr, .. } => send_back_addr,
    }
}
