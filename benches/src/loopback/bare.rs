//! The leanest copies of a file to another process: what anything better than these would have to avoid doing.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::Path,
};

use shoal_peer::secure::{self, Credentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cli::Failure;

/// Read and written at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Sends the file over TLS, with the handshake and the cipher suites of lanes and nothing else of them.
pub(super) async fn send_tls(path: &Path, to: SocketAddr, own: &Credentials) -> Result<(), Failure> {
    let file = File::open(path)?;
    let stream = tokio::net::TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (_, mut stream) = secure::connect(stream, own, None).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        // From the page cache, so this does not wait.
        let read_bytes = file.read_at(&mut chunk, offset)?;
        if read_bytes == 0 {
            break;
        }
        stream.write_all(&chunk[..read_bytes]).await?;
        offset += read_bytes as u64;
    }
    Ok(stream.shutdown().await?)
}

/// Receives over TLS until the end, and counts the bytes.
pub(super) async fn receive_tls(
    listener: &tokio::net::TcpListener,
    own: &Credentials,
) -> Result<u64, Failure> {
    let (stream, _) = listener.accept().await?;
    let (_, mut stream) = secure::accept(stream, own).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut received_bytes = 0;
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => return Ok(received_bytes),
            Ok(read_bytes) => received_bytes += read_bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(received_bytes),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends the file over TCP.
pub(super) fn send_tcp(path: &Path, to: SocketAddr) -> io::Result<()> {
    let file = File::open(path)?;
    let mut stream = TcpStream::connect(to)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let read_bytes = file.read_at(&mut chunk, offset)?;
        if read_bytes == 0 {
            return Ok(());
        }
        stream.write_all(&chunk[..read_bytes])?;
        offset += read_bytes as u64;
    }
}

/// Sends the file without its bytes ever being in this process.
pub(super) fn send_file(path: &Path, to: SocketAddr) -> io::Result<()> {
    let file = File::open(path)?;
    let stream = TcpStream::connect(to)?;
    let mut left_bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut offset = 0;
    while left_bytes > 0 {
        let sent_bytes = rustix::fs::sendfile(&stream, &file, Some(&mut offset), left_bytes)?;
        left_bytes =
            left_bytes.checked_sub(sent_bytes).filter(|_| sent_bytes > 0).ok_or(io::ErrorKind::WriteZero)?;
    }
    Ok(())
}

/// Receives over TCP until the end, and counts the bytes.
pub(super) fn receive_tcp(listener: &TcpListener) -> io::Result<u64> {
    let (mut stream, _) = listener.accept()?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut received_bytes = 0;
    loop {
        match stream.read(&mut chunk)? {
            0 => return Ok(received_bytes),
            read_bytes => received_bytes += read_bytes as u64,
        }
    }
}
