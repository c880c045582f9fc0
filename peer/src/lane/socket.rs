//! Files into sockets.

use std::{fs::File, io, ops::Range, time::Duration};

use tokio::{io::Interest, net::TcpStream, time::timeout};

use super::LaneError;

/// Sends some of `range` of `file`, at least a byte of it, once the socket has room; gives how much. The bytes should be
/// in memory, or this thread waits for the disk.
#[cfg(target_os = "linux")]
pub(super) async fn send_file(
    stream: &TcpStream,
    file: &File,
    range: Range<u64>,
    stall_timeout: Duration,
) -> Result<u64, LaneError> {
    let len_bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let send = || {
        let mut offset = range.start;
        Ok(rustix::fs::sendfile(stream, file, Some(&mut offset), len_bytes)?)
    };
    let sent = timeout(stall_timeout, stream.async_io(Interest::WRITABLE, send)).await;
    match sent.map_err(|_| LaneError::Stalled(stall_timeout))?? {
        0 => Err(LaneError::Source(io::ErrorKind::UnexpectedEof.into())),
        sent_bytes => Ok(sent_bytes as u64),
    }
}

/// Nothing to send files with: whoever is told so reads them.
#[cfg(not(target_os = "linux"))]
pub(super) async fn send_file(
    _stream: &TcpStream,
    _file: &File,
    _range: Range<u64>,
    _stall_timeout: Duration,
) -> Result<u64, LaneError> {
    Err(LaneError::Source(io::ErrorKind::Unsupported.into()))
}
