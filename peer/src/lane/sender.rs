//! The end of a lane where pieces are sent.

use std::{io, net::SocketAddr, ops::Range, time::Duration};

use shoal_protocol::{identity::NodeId, wire::LaneHeader};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::spawn_blocking, time::timeout};

use super::{LaneError, LaneOpenError, PieceSource, STALL_TIMEOUT};
use crate::{
    secure::{self, Credentials, SecureStream},
    swarm::{BoxStream, Protocol, SwarmHandle},
};

/// For connecting to one address: a host that does not answer by then is behind something that swallows packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Read, encrypted and handed to the kernel at a time: few system calls, and all of it stays in a core's own cache.
const CHUNK_BYTES: usize = 256 * 1024;

/// Sends pieces to one node.
pub struct LaneSender {
    stream: BoxStream,
    /// Room for a header and a chunk.
    buffer: Vec<u8>,
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

    /// Sends the piece that begins at `offset` in `source`: returns when it is handed to the kernel, or to the swarm. A
    /// future that is dropped may leave half a piece behind, so the lane has to be dropped with it.
    ///
    /// # Errors
    /// When the header can't be one, the piece can't be read, the other side stops reading or the connection breaks. The
    /// lane is of no use then.
    pub async fn send(
        &mut self,
        header: LaneHeader,
        source: &impl PieceSource,
        offset: u64,
    ) -> Result<(), LaneError> {
        let head = header.to_bytes();
        // A header the other side would refuse must not leave this one.
        LaneHeader::from_bytes(&head).map_err(LaneError::Malformed)?;
        self.buffer.resize(LaneHeader::LEN + CHUNK_BYTES, 0);
        self.buffer[..LaneHeader::LEN].copy_from_slice(&head);
        let (mut filled, mut sent_bytes) = (LaneHeader::LEN, 0);
        loop {
            let left_bytes = header.len_bytes as usize - sent_bytes;
            let end = self.buffer.len().min(filled + left_bytes);
            let read_bytes = self.read(source, offset + sent_bytes as u64, filled..end).await?;
            self.write(filled + read_bytes).await?;
            sent_bytes += read_bytes;
            if read_bytes == left_bytes {
                break;
            }
            filled = 0;
        }
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
        Self { stream, buffer: Vec::new(), stall_timeout: STALL_TIMEOUT, address }
    }

    /// Fills some of `part` of the buffer, at least a byte of it unless it is empty. What is in memory is read right
    /// here: the way to another thread and back costs more than that.
    async fn read(
        &mut self,
        source: &impl PieceSource,
        offset: u64,
        part: Range<usize>,
    ) -> Result<usize, LaneError> {
        let cached_bytes =
            source.read_cached(offset, &mut self.buffer[part.clone()]).map_err(LaneError::Source)?;
        if cached_bytes > 0 || part.is_empty() {
            return Ok(cached_bytes);
        }
        let (source, mut buffer, len_bytes) = (source.clone(), std::mem::take(&mut self.buffer), part.len());
        let reading = spawn_blocking(move || source.read_at(offset, &mut buffer[part]).map(|()| buffer));
        let read = reading.await.map_err(io::Error::other).and_then(|read| read);
        self.buffer = read.map_err(LaneError::Source)?;
        Ok(len_bytes)
    }

    /// Writes the first `len_bytes` of the buffer; the stall counts from the last byte that went.
    async fn write(&mut self, len_bytes: usize) -> Result<(), LaneError> {
        let mut rest = &self.buffer[..len_bytes];
        while !rest.is_empty() {
            let written = timeout(self.stall_timeout, self.stream.write(rest)).await;
            match written.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                written => rest = &rest[written..],
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
    let (_, mut stream) = secure::connect(stream, credentials, Some(node)).await.map_err(io::Error::other)?;
    // Each time this much is encrypted, it goes to the kernel in one call.
    secure::set_write_buffer(&mut stream, CHUNK_BYTES);
    Ok(stream)
}
