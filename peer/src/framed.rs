//! Messages on a stream: a length of four bytes, then the message.

use std::io;

use shoal_protocol::wire::{Wire, WireError, encode_frame, frame_len_bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why no message came out of a stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    /// What came is no message.
    #[error("not a message: {0}")]
    Wire(#[from] WireError),
}

/// Reads the next frame of up to `max_bytes` into `buffer`; `None` when the stream ends between two frames.
///
/// Split from the decoding, so that a reader can pass over a message that it does not know.
///
/// # Errors
/// When the stream breaks or the frame is longer than allowed.
pub(crate) async fn read_frame<'a>(
    stream: &mut (impl AsyncRead + Unpin),
    max_bytes: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<Option<&'a [u8]>, FrameError> {
    let mut prefix = [0; 4];
    if let Err(error) = stream.read_exact(&mut prefix).await {
        let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
        return if is_end { Ok(None) } else { Err(error.into()) };
    }
    let len_bytes = frame_len_bytes(prefix, max_bytes)?;
    buffer.clear();
    // Memory follows what has arrived, not what was announced.
    stream.take(len_bytes as u64).read_to_end(buffer).await?;
    if buffer.len() < len_bytes {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(buffer))
}

/// Reads one message and nothing else.
///
/// # Errors
/// When the stream breaks or ends, or what came is not such a message.
pub(crate) async fn read_message<T: Wire>(
    stream: &mut (impl AsyncRead + Unpin),
    max_bytes: usize,
) -> Result<T, FrameError> {
    let mut buffer = Vec::new();
    let frame = read_frame(stream, max_bytes, &mut buffer).await?;
    let frame = frame.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok(T::decode(frame)?)
}

/// Writes one message and flushes.
///
/// # Errors
/// When the stream breaks.
pub(crate) async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Wire,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    encode_frame(message, &mut bytes);
    stream.write_all(&bytes).await?;
    stream.flush().await
}
