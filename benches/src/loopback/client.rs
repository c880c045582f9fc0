//! The client of mirrors and of nginx: HTTP/1.1 with as little in the way as there can be.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use shoal_protocol::digest::Digest;

/// The registry that the measured content is said to be from.
pub(super) const REGISTRY: &str = "registry.invalid";
/// Its repository.
pub(super) const REPOSITORY: &str = "bench/image";

const BUFFER_BYTES: usize = 1024 * 1024;
/// A server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a mirror has a blob.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}?ns={REGISTRY}")
}

/// Where a mirror has a manifest.
pub(super) fn manifest_path(digest: &Digest) -> String {
    format!("/v2/{REPOSITORY}/manifests/{digest}?ns={REGISTRY}")
}

/// A connection that is kept open between requests. Blocks.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Asks for `path`, reads the answer and throws it away; gives the time until its last byte and its length.
    pub(super) fn get(&mut self, path: &str, range: Option<&str>) -> io::Result<(Duration, u64)> {
        let range = range.map(|range| format!("Range: {range}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{range}\r\n");
        let began = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        let (head_bytes, read_bytes) = self.read_head()?;
        let len_bytes = self.check_head(head_bytes)?;
        let mut left_bytes = len_bytes.saturating_sub((read_bytes - head_bytes) as u64);
        while left_bytes > 0 {
            let most = self.buffer.len().min(usize::try_from(left_bytes).unwrap_or(usize::MAX));
            match self.stream.read(&mut self.buffer[..most])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read_bytes => left_bytes -= read_bytes as u64,
            }
        }
        Ok((began.elapsed(), len_bytes))
    }

    /// Reads until the head is there; gives its length, and that of all that was read.
    fn read_head(&mut self) -> io::Result<(usize, usize)> {
        let mut read_bytes = 0;
        loop {
            match self.stream.read(&mut self.buffer[read_bytes..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => read_bytes += more,
            }
            let end = self.buffer[..read_bytes].windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                return Ok((end + 4, read_bytes));
            }
        }
    }

    /// The announced length of a good answer.
    fn check_head(&self, head_bytes: usize) -> io::Result<u64> {
        let head = String::from_utf8_lossy(&self.buffer[..head_bytes]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 20") {
            return Err(io::Error::other(format!("the answer is not a good one: {head}")));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        length.ok_or_else(|| io::Error::other("the answer has no length"))
    }
}
