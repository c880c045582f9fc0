//! Cutting a blob's bytes into pieces.

use std::{io, ops::Range, path::Path};

use bytes::{Buf as _, Bytes, BytesMut};
use shoal_protocol::geometry::{Geometry, PieceIndex};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use super::{PullError, origin_body::OriginBody};
use crate::origin::MAX_BLOB_BYTES;

/// The bytes of a blob, read in pieces.
pub(super) struct PieceSource<'a> {
    body: OriginBody<'a>,
    /// Holds the bytes of `body`, when those had to come in first to be counted.
    spool: Option<File>,
    leftover: Bytes,
}

impl<'a> PieceSource<'a> {
    pub(super) fn new(body: OriginBody<'a>) -> Self {
        Self { body, spool: None, leftover: Bytes::new() }
    }

    /// The blob's length. Where the origin does not tell, all of it goes through a file in `spool_dir` first: the
    /// length decides how the blob is cut.
    pub(super) async fn known_length(&mut self, spool_dir: &Path) -> Result<u64, PullError> {
        if let Some(total) = self.body.total_bytes() {
            return Ok(total);
        }
        let spool_dir = spool_dir.to_owned();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(spool_dir)).await;
        let mut file = File::from_std(file.map_err(io::Error::other)??);
        let mut length = 0;
        while let Some(bytes) = self.body.next().await? {
            length += bytes.len() as u64;
            if length > MAX_BLOB_BYTES {
                return Err(self.body.corrupt("sends more than any blob has").into());
            }
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        file.rewind().await?;
        self.spool = Some(file);
        Ok(length)
    }

    /// True when the origin did not tell the length.
    pub(super) fn is_spooled(&self) -> bool {
        self.spool.is_some()
    }

    /// Sends `pieces` on, in order, for as long as somebody takes them.
    pub(super) async fn cut(
        &mut self,
        geometry: Geometry,
        pieces: Range<PieceIndex>,
        taker: mpsc::Sender<Bytes>,
    ) -> Result<(), PullError> {
        let all = async {
            for piece in pieces {
                let bytes = self.read(geometry.len(piece)).await?;
                if taker.send(bytes).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        tokio::select! {
            cut = all => cut,
            () = taker.closed() => Ok(()),
        }
    }

    /// The next `length` bytes.
    pub(super) async fn read(&mut self, length: u32) -> Result<Bytes, PullError> {
        let length = length as usize;
        let mut piece = BytesMut::with_capacity(length);
        while piece.len() < length {
            if self.leftover.is_empty() {
                self.leftover = self.next().await?;
            }
            let taken = self.leftover.len().min(length - piece.len());
            piece.extend_from_slice(&self.leftover[..taken]);
            self.leftover.advance(taken);
        }
        Ok(piece.freeze())
    }

    /// Where the bytes come from.
    pub(super) fn body(&self) -> &OriginBody<'a> {
        &self.body
    }

    async fn next(&mut self) -> Result<Bytes, PullError> {
        const SPOOL_READ_BYTES: usize = 256 * 1024;
        let next = match &mut self.spool {
            None => self.body.next().await?,
            Some(file) => {
                let mut bytes = BytesMut::with_capacity(SPOOL_READ_BYTES);
                let read = file.read_buf(&mut bytes).await?;
                (read > 0).then(|| bytes.freeze())
            }
        };
        next.ok_or_else(|| self.body.corrupt("sent fewer bytes than it said").into())
    }
}
