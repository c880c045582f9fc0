//! The end of a lane where pieces arrive.

use std::{io, sync::Arc, time::Duration};

use bytes::{BufMut, BytesMut};
use shoal_protocol::{identity::NodeId, wire::LaneHeader};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use super::{LaneError, LaneProgress, gate::Admission};
use crate::swarm::BoxStream;

/// Receives the pieces of one node.
pub struct LaneReceiver {
    node: NodeId,
    stream: BoxStream,
    pub(super) stall_timeout: Duration,
    progress: Arc<LaneProgress>,
    _admission: Admission,
}

impl LaneReceiver {
    pub(super) fn new(
        node: NodeId,
        stream: BoxStream,
        stall_timeout: Duration,
        admission: Admission,
    ) -> Self {
        let progress = Arc::new(LaneProgress::new());
        Self { node, stream, stall_timeout, progress, _admission: admission }
    }

    /// Who sends.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// What arrives, for others to look at.
    pub fn progress(&self) -> Arc<LaneProgress> {
        Arc::clone(&self.progress)
    }

    /// The next piece, in `buffer`, whose content is replaced and whose memory is used again; `None` when the sender
    /// has closed the lane. Waits for a piece to begin as long as it takes, then for no longer than a stall may last.
    ///
    /// The bytes are whatever the other side sent: verify them. A future that is dropped may leave half a piece
    /// behind, so the lane has to be dropped with it.
    ///
    /// # Errors
    /// When what arrives is no piece, is cut short, or stalls.
    pub async fn next(&mut self, buffer: BytesMut) -> Result<Option<(LaneHeader, BytesMut)>, LaneError> {
        let Some(header) = self.read_header().await? else { return Ok(None) };
        self.progress.begin(header);
        let piece = self.read_piece(header, buffer).await;
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

    async fn read_piece(&mut self, header: LaneHeader, mut piece: BytesMut) -> Result<BytesMut, LaneError> {
        let len_bytes = header.len_bytes as usize;
        piece.clear();
        piece.reserve(len_bytes);
        while piece.len() < len_bytes {
            let missing = len_bytes - piece.len();
            let read = timeout(self.stall_timeout, read_some(&mut self.stream, &mut piece, missing)).await;
            match read.map_err(|_| LaneError::Stalled(self.stall_timeout))?? {
                0 => return Err(LaneError::CutPiece { header, received_bytes: piece.len() }),
                read => self.progress.advance(read),
            }
        }
        Ok(piece)
    }
}

/// Reads straight into the unused part of `piece`, never beyond it.
async fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    piece: &mut BytesMut,
    at_most: usize,
) -> io::Result<usize> {
    stream.read_buf(&mut piece.limit(at_most)).await
}
