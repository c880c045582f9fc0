//! The end of a lane where pieces arrive.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use shoal_protocol::{identity::NodeId, wire::LaneHeader};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};
use tokio_util::io::poll_read_buf;

use super::{LaneError, LaneProgress, gate::Admission};
use crate::{
    buffers::{Buffer, Buffers},
    swarm::BoxStream,
};

/// Receives the pieces of one node.
pub struct LaneReceiver {
    node: NodeId,
    stream: BoxStream,
    pub(super) stall_timeout: Duration,
    progress: Arc<LaneProgress>,
    buffers: Buffers,
    _admission: Admission,
}

impl LaneReceiver {
    pub(super) fn new(
        node: NodeId,
        stream: BoxStream,
        stall_timeout: Duration,
        buffers: Buffers,
        admission: Admission,
    ) -> Self {
        let progress = Arc::new(LaneProgress::new());
        Self { node, stream, stall_timeout, progress, buffers, _admission: admission }
    }

    /// Who sends.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// What arrives, for others to look at.
    pub fn progress(&self) -> Arc<LaneProgress> {
        Arc::clone(&self.progress)
    }

    /// The next piece; `None` when the sender has closed the lane. Waits for a piece to begin as long as it takes, then
    /// for no longer than a stall may last.
    ///
    /// The bytes are whatever the other side sent: verify them. A future that is dropped may leave half a piece
    /// behind, so the lane has to be dropped with it.
    ///
    /// # Errors
    /// When what arrives is no piece, is cut short, or stalls.
    pub async fn next(&mut self) -> Result<Option<(LaneHeader, Buffer)>, LaneError> {
        let Some(header) = self.read_header().await? else { return Ok(None) };
        self.progress.begin(header);
        let piece = self.read_piece(header).await;
        self.progress.end();
        Ok(Some((header, piece?)))
    }

    async fn read_header(&mut self) -> Result<Option<LaneHeader>, LaneError> {
        let mut header = [0; LaneHeader::LEN];
        let mut filled = self.stream.read(&mut header).await?;
        if filled == 0 {
            return Ok(None);
        }
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = timeout(self.stall_timeout, self.stream.read(rest)).await;
            match read.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(LaneError::CutHeader),
                read => filled += read,
            }
        }
        LaneHeader::from_bytes(&header).map(Some).map_err(LaneError::Malformed)
    }

    async fn read_piece(&mut self, header: LaneHeader) -> Result<Buffer, LaneError> {
        let len_bytes = header.len_bytes as usize;
        let mut piece = self.buffers.take();
        while piece.len() < len_bytes {
            let more = poll_fn(|cx| poll_read_more(&mut self.stream, cx, &mut piece, len_bytes));
            let read = timeout(self.stall_timeout, more).await;
            match read.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(LaneError::CutPiece { header, received_bytes: piece.len() }),
                read => self.progress.advance(read),
            }
        }
        Ok(piece)
    }
}

/// Reads all that is there straight into the unused part of `piece`, never beyond `len_bytes`: a timer and a look at
/// the clock for each record of TLS would cost more than the record's way through here.
fn poll_read_more(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    piece: &mut Buffer,
    len_bytes: usize,
) -> Poll<io::Result<usize>> {
    let before_bytes = piece.len();
    while piece.len() < len_bytes {
        match poll_read_buf(Pin::new(&mut *stream), cx, &mut piece.room(len_bytes)) {
            Poll::Ready(Ok(read_bytes)) if read_bytes > 0 => {}
            Poll::Pending if piece.len() > before_bytes => break,
            other => return other,
        }
    }
    Poll::Ready(Ok(piece.len() - before_bytes))
}
