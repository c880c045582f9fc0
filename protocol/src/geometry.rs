//! How a blob is cut into pieces.

use core::ops::Range;

use crate::bounds::{MAX_PIECE_BYTES, MAX_PIECES, MIN_PIECE_BYTES};

/// The number of a piece, counted from the blob's start.
pub type PieceIndex = u32;

/// Length of a blob and of its pieces. All pieces have `piece_bytes`, but for the last, which has what remains.
///
/// An empty blob has one empty piece, so that every blob has a last piece to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    blob_bytes: u64,
    piece_bytes: u32,
}

/// Why two lengths make no geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// Not a power of two, or outside [`MIN_PIECE_BYTES`]..=[`MAX_PIECE_BYTES`].
    #[error(
        "a piece of {0} bytes: the length must be a power of two from {MIN_PIECE_BYTES} to {MAX_PIECE_BYTES}"
    )]
    PieceBytes(u32),
    /// More than [`MAX_PIECES`] pieces.
    #[error("a blob of {blob_bytes} bytes in pieces of {piece_bytes} has more than {MAX_PIECES} pieces")]
    TooManyPieces {
        /// Length of the blob.
        blob_bytes: u64,
        /// Length of a piece.
        piece_bytes: u32,
    },
}

impl Geometry {
    /// A blob of `blob_bytes` in pieces of `piece_bytes`.
    ///
    /// # Errors
    /// When `piece_bytes` is not an allowed power of two, or there would be too many pieces.
    pub fn new(blob_bytes: u64, piece_bytes: u32) -> Result<Self, GeometryError> {
        if !piece_bytes.is_power_of_two() || !(MIN_PIECE_BYTES..=MAX_PIECE_BYTES).contains(&piece_bytes) {
            return Err(GeometryError::PieceBytes(piece_bytes));
        }
        if blob_bytes.div_ceil(u64::from(piece_bytes)) > u64::from(MAX_PIECES) {
            return Err(GeometryError::TooManyPieces { blob_bytes, piece_bytes });
        }
        Ok(Self { blob_bytes, piece_bytes })
    }

    /// The geometry every author gives a blob of this length, so that chains of different authors agree.
    ///
    /// The length doubles whenever the blob is four times as long: 256 KiB from 64 MiB on, 1 MiB from 1 GiB on, so that
    /// blobs of 16 MiB to 4 GiB have 128 to 4096 pieces. Simulated, more and smaller pieces finish a flash crowd sooner;
    /// but each costs control messages and processor time, which counts on slow links and small machines.
    ///
    /// # Errors
    /// When the blob is longer than [`MAX_PIECES`] pieces of [`MAX_PIECE_BYTES`].
    pub fn for_blob(blob_bytes: u64) -> Result<Self, GeometryError> {
        let wanted = 1u64 << (blob_bytes.max(1).ilog2() / 2 + 5);
        let piece_bytes =
            u32::try_from(wanted).unwrap_or(MAX_PIECE_BYTES).clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        Self::new(blob_bytes, piece_bytes)
    }

    /// Length of the blob.
    pub const fn blob_bytes(&self) -> u64 {
        self.blob_bytes
    }

    /// Length of every piece but the last.
    pub const fn piece_bytes(&self) -> u32 {
        self.piece_bytes
    }

    /// Number of pieces: at least one.
    pub fn piece_count(&self) -> u32 {
        let count = self.blob_bytes.div_ceil(u64::from(self.piece_bytes)).max(1);
        u32::try_from(count).unwrap_or(MAX_PIECES)
    }

    /// The last piece.
    pub fn last_piece(&self) -> PieceIndex {
        self.piece_count() - 1
    }

    /// The bytes of the blob that `piece` covers; empty past the end.
    pub fn range(&self, piece: PieceIndex) -> Range<u64> {
        let start = (u64::from(piece) * u64::from(self.piece_bytes)).min(self.blob_bytes);
        start..(start + u64::from(self.piece_bytes)).min(self.blob_bytes)
    }

    /// Length of `piece`; zero past the end.
    pub fn len(&self, piece: PieceIndex) -> u32 {
        let range = self.range(piece);
        u32::try_from(range.end - range.start).unwrap_or(0)
    }

    /// True for a blob without a byte.
    pub const fn is_empty(&self) -> bool {
        self.blob_bytes == 0
    }

    /// The pieces that hold `bytes` of the blob; none for an empty range and past the end.
    pub fn covering(&self, bytes: Range<u64>) -> Range<PieceIndex> {
        let piece_bytes = u64::from(self.piece_bytes);
        let narrow = |piece: u64| PieceIndex::try_from(piece).unwrap_or(MAX_PIECES);
        let end_byte = bytes.end.min(self.blob_bytes);
        let first = narrow(bytes.start.min(self.blob_bytes) / piece_bytes);
        if bytes.start >= end_byte {
            return first..first;
        }
        first..narrow(end_byte.div_ceil(piece_bytes))
    }
}
