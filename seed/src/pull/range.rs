//! Some pieces of a blob from its origin, proven by a chain that exists.

use std::{fmt, io, ops::Range};

use bytes::Bytes;
use shoal_protocol::{
    chain::{Chain, PieceCheck},
    geometry::PieceIndex,
};

use super::{PullError, source::PieceSource};

/// A pull of consecutive pieces, under way. Dropping it ends it.
pub struct RangePull<'a> {
    source: PieceSource<'a>,
    chain: &'a Chain,
    pieces: Range<PieceIndex>,
}

impl<'a> RangePull<'a> {
    pub(super) fn new(source: PieceSource<'a>, chain: &'a Chain, pieces: Range<PieceIndex>) -> Self {
        let end = pieces.end.min(chain.geometry().piece_count());
        Self { source, chain, pieces: pieces.start..end }
    }

    /// The next piece, checked; `None` after the last.
    ///
    /// # Errors
    /// When the origin gives no such bytes, or others than the chain proves: either may be wrong, and the chain's
    /// author vouches for it only until it closes.
    pub async fn next(&mut self) -> Result<Option<(PieceIndex, Bytes)>, PullError> {
        let Some(piece) = self.pieces.next() else { return Ok(None) };
        let digest = *self.chain.digest();
        let check = self.chain.check(piece).ok_or(PullError::BeyondChain { digest, piece })?;
        let bytes = self.source.read(self.chain.geometry().len(piece)).await?;
        if verify(check, bytes.clone()).await? {
            return Ok(Some((piece, bytes)));
        }
        Err(self.source.body().corrupt(&format!("sent a piece {piece} that does not fit the chain")).into())
    }
}

impl fmt::Debug for RangePull<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangePull").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

async fn verify(check: PieceCheck, bytes: Bytes) -> io::Result<bool> {
    tokio::task::spawn_blocking(move || check.verify(&bytes)).await.map_err(io::Error::other)
}
