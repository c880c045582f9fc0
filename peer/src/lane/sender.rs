//! The end of a lane where pieces are sent.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    time::Duration,
};

use shoal_protocol::{identity::NodeId, wire::LaneHeader};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{LaneError, LaneOpenError, STALL_TIMEOUT};
use crate::{
    secure::{self, Credentials, SecureStream},
    swarm::{BoxStream, Protocol, SwarmHandle},
};

/// For connecting to one address: a host that does not answer by then is behind something that swallows packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends pieces to one node.
pub struct LaneSender {
    stream: BoxStream,
    pub(super) stall_timeout: Duration,
    address: Option<SocketAddr>,
}

impl LaneSender {
    /// Opens a lane to `node`: at the first of its `addresses` where it answers or, failing them all, on a stream of
    /// the swarm.
    ///
    /// # Errors
    /// When there is no way, with what was wrong with each.
    pub async fn open(
        credentials: &Credentials,
        swarm: &SwarmHandle,
        node: NodeId,
        addresses: &[SocketAddr],
    ) -> Result<Self, LaneOpenError> {
        let mut attempts = Vec::new();
        for &address in addresses {
            match connect(credentials, node, address).await {
                Ok(stream) => return Ok(Self::new(Box::new(stream), Some(address))),
                Err(reason) => attempts.push((address, reason.to_string())),
            }
        }
        match swarm.open(node, Protocol::Lane).await {
            Ok(stream) => {
                tracing::debug!(%node, ?attempts, "no lane address answers, sending pieces through the swarm");
                Ok(Self::new(stream, None))
            }
            Err(fallback) => Err(LaneOpenError { node, attempts, fallback }),
        }
    }

    /// Where the lane goes; `None` for one through the swarm.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Sends one piece: returns when it is handed to the kernel, or to the swarm. A future that is dropped may leave
    /// half a piece behind, so the lane has to be dropped with it.
    ///
    /// # Errors
    /// When the header is not that of the piece, the other side stops reading, or the connection breaks.
    pub async fn send(&mut self, header: LaneHeader, piece: &[u8]) -> Result<(), LaneError> {
        let piece_bytes = piece.len();
        if usize::try_from(header.len_bytes) != Ok(piece_bytes) {
            return Err(LaneError::WrongLength { header, piece_bytes });
        }
        let header = header.to_bytes();
        // A header the other side would refuse must not leave this one.
        LaneHeader::from_bytes(&header).map_err(LaneError::Malformed)?;
        self.write(&mut [IoSlice::new(&header), IoSlice::new(piece)]).await?;
        let flushed = timeout(self.stall_timeout, self.stream.flush()).await;
        Ok(flushed.map_err(|_| LaneError::Stalled(self.stall_timeout))??)
    }

    /// Closes the lane, so that the other side sees it end where it should.
    ///
    /// # Errors
    /// When the connection breaks before.
    pub async fn close(mut self) -> Result<(), LaneError> {
        let closed = timeout(self.stall_timeout, self.stream.shutdown()).await;
        Ok(closed.map_err(|_| LaneError::Stalled(self.stall_timeout))??)
    }

    fn new(stream: BoxStream, address: Option<SocketAddr>) -> Self {
        Self { stream, stall_timeout: STALL_TIMEOUT, address }
    }

    /// Header and piece leave together and uncopied; the stall counts from the last byte that went.
    async fn write(&mut self, mut parts: &mut [IoSlice<'_>]) -> Result<(), LaneError> {
        while !parts.is_empty() {
            let written = timeout(self.stall_timeout, self.stream.write_vectored(parts)).await;
            match written.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                written => IoSlice::advance_slices(&mut parts, written),
            }
        }
        Ok(())
    }
}

async fn connect(
    credentials: &Credentials,
    node: NodeId,
    address: SocketAddr,
) -> io::Result<SecureStream<TcpStream>> {
    let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    secure::tune(&stream)?;
    let (_, stream) = secure::connect(stream, credentials, Some(node)).await.map_err(io::Error::other)?;
    Ok(stream)
}
