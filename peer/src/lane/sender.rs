//! The end of a lane where pieces are sent.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    ops::Range,
    time::{Duration, Instant},
};

use shoal_protocol::{identity::NodeId, wire::LaneHeader};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::spawn_blocking, time::timeout};

use super::{LaneError, LaneOpenError, PieceSource, STALL_TIMEOUT, backlog::Backlog, socket};
use crate::{
    secure::{self, Credentials, LaneStream, SecureStream},
    swarm::{AsyncReadWrite, BoxStream, Protocol, SwarmHandle},
};

/// For connecting to one address: a host that does not answer by then is behind something that swallows packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Read at a time: few system calls, and all of it stays in a core's own cache.
const CHUNK_BYTES: usize = 256 * 1024;

/// Encrypted before it is handed to the kernel in one call: seven records, each of which TLS allocates and frees. Of free
/// memory beyond 128 KiB glibc gives the rest back to the kernel each time, and gets it anew page by page for the next
/// records, which costs a quarter of what sending does.
const TLS_BATCH_BYTES: usize = 112 * 1024;

/// Sends pieces to one node.
pub struct LaneSender {
    stream: Stream,
    /// Room for a header and a chunk.
    buffer: Vec<u8>,
    pub(super) stall_timeout: Duration,
    address: Option<SocketAddr>,
    /// What the socket of a lane over TCP takes.
    backlog: Option<Backlog>,
}

enum Stream {
    /// Encrypted by TLS.
    Tls(Box<SecureStream<TcpStream>>),
    /// Plain, as both sides agreed.
    Plaintext(TcpStream),
    /// Encrypted by the swarm.
    Swarm(BoxStream),
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
                Ok(stream) => return Ok(Self::new(stream, Some(address))),
                Err(reason) => attempts.push((address, reason.to_string())),
            }
        }
        match swarm.open(node, Protocol::Lane).await {
            Ok(stream) => {
                tracing::debug!(%node, ?attempts, "no lane address answers, sending pieces through the swarm");
                Ok(Self::new(Stream::Swarm(stream), None))
            }
            Err(fallback) => Err(LaneOpenError { node, attempts, fallback }),
        }
    }

    /// Where the lane goes; `None` for one through the swarm.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether both sides agreed to go on without encryption.
    pub fn is_plaintext(&self) -> bool {
        matches!(self.stream, Stream::Plaintext(_))
    }

    /// Sends the piece that begins at `offset` in `source`: returns when all but what leaves within a moment is on its
    /// way, or handed to the swarm. A future that is dropped may leave half a piece behind, so the lane has to be dropped
    /// with it.
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
        let range = offset..offset + u64::from(header.len_bytes);
        let began = Instant::now();
        match source.file(range.clone()) {
            Some(file) if self.is_plaintext() && cfg!(target_os = "linux") => {
                self.send_file(file, source, range).await?;
            }
            _ => self.send_read(source, range).await?,
        }
        let flushed = timeout(self.stall_timeout, self.stream.io().flush()).await;
        flushed.map_err(|_| LaneError::Stalled(self.stall_timeout))??;
        if let (Some(backlog), Some(socket)) = (&mut self.backlog, self.stream.socket()) {
            backlog.adjust(socket, header.len_bytes, began.elapsed());
        }
        Ok(())
    }

    /// Closes the lane, so that the other side sees it end where it should.
    ///
    /// # Errors
    /// When the connection breaks before.
    pub async fn close(mut self) -> Result<(), LaneError> {
        let closed = timeout(self.stall_timeout, self.stream.io().shutdown()).await;
        Ok(closed.map_err(|_| LaneError::Stalled(self.stall_timeout))??)
    }

    fn new(stream: Stream, address: Option<SocketAddr>) -> Self {
        let backlog = stream.socket().map(Backlog::of_new);
        Self { stream, buffer: Vec::new(), stall_timeout: STALL_TIMEOUT, address, backlog }
    }

    /// Sends the header, which stands in the buffer, and the piece by reading it.
    async fn send_read(&mut self, source: &impl PieceSource, range: Range<u64>) -> Result<(), LaneError> {
        let (mut filled, mut at) = (LaneHeader::LEN, range.start);
        loop {
            let left_bytes = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let end = self.buffer.len().min(filled.saturating_add(left_bytes));
            let read_bytes = self.read(source, at, filled..end).await?;
            self.write(filled + read_bytes).await?;
            at += read_bytes as u64;
            if at == range.end {
                return Ok(());
            }
            filled = 0;
        }
    }

    /// Sends the header, which stands in the buffer, and the piece without its bytes ever being in this process, as far
    /// as they are in memory: `sendfile` would wait for the disk, on a thread that must not.
    async fn send_file(
        &mut self,
        file: &File,
        source: &impl PieceSource,
        range: Range<u64>,
    ) -> Result<(), LaneError> {
        self.write(LaneHeader::LEN).await?;
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + CHUNK_BYTES as u64);
            let mut probe = [0];
            let is_cached =
                |offset, probe: &mut [u8]| source.read_cached(offset, probe).is_ok_and(|read| read > 0);
            match &self.stream {
                Stream::Plaintext(stream) if is_cached(at, &mut probe) && is_cached(end - 1, &mut probe) => {
                    at += socket::send_file(stream, file, at..end, self.stall_timeout).await?;
                }
                _ => {
                    let len_bytes = usize::try_from(end - at).unwrap_or(0);
                    let read_bytes = self.read(source, at, 0..len_bytes).await?;
                    self.write(read_bytes).await?;
                    at += read_bytes as u64;
                }
            }
        }
        Ok(())
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
            let written = timeout(self.stall_timeout, self.stream.io().write(rest)).await;
            match written.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                written => rest = &rest[written..],
            }
        }
        Ok(())
    }
}

impl Stream {
    fn io(&mut self) -> &mut (dyn AsyncReadWrite + Send + Unpin) {
        match self {
            Self::Tls(stream) => stream,
            Self::Plaintext(stream) => stream,
            Self::Swarm(stream) => stream,
        }
    }

    /// Its own connection, which a stream of the swarm does not have.
    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Plaintext(stream) => Some(stream),
            Self::Swarm(_) => None,
        }
    }
}

async fn connect(credentials: &Credentials, node: NodeId, address: SocketAddr) -> io::Result<Stream> {
    let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    secure::tune(&stream)?;
    let secured = secure::connect_lane(stream, credentials, node, TLS_BATCH_BYTES).await;
    Ok(match secured.map_err(io::Error::other)? {
        LaneStream::Tls(stream) => Stream::Tls(stream),
        LaneStream::Plaintext(stream) => Stream::Plaintext(stream),
    })
}
