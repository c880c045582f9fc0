//! Verifying one piece.

use super::state::State;
use crate::geometry::{Geometry, PieceIndex};

/// Everything needed to verify one piece, on any thread, with no access to the chain it came from.
#[derive(Clone, Debug)]
pub struct PieceCheck {
    geometry: Geometry,
    piece: PieceIndex,
    before: State,
    after: State,
}

impl PieceCheck {
    pub(super) const fn new(geometry: Geometry, piece: PieceIndex, before: State, after: State) -> Self {
        Self { geometry, piece, before, after }
    }

    /// True when `bytes` are this piece, as the chain has it. Hashes each byte once.
    pub fn verify(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.len_bytes() as usize
            && hash_piece(&self.geometry, self.piece, self.before, bytes) == self.after
    }

    /// Verifies two pieces, of one blob or of two, on this thread: faster than one after the other.
    pub fn verify_both(pieces: [(&Self, &[u8]); 2]) -> [bool; 2] {
        let lengths_are_right = pieces.map(|(check, bytes)| bytes.len() == check.len_bytes() as usize);
        if lengths_are_right != [true; 2] {
            return pieces.map(|(check, bytes)| check.verify(bytes));
        }
        let compressed = State::compress_both(pieces.map(|(check, bytes)| (check.before, bytes)));
        [0, 1].map(|index| {
            let (check, bytes) = pieces[index];
            after_piece(&check.geometry, check.piece, compressed[index], bytes) == check.after
        })
    }

    /// The piece to verify.
    pub const fn piece(&self) -> PieceIndex {
        self.piece
    }

    /// The length that the piece must have.
    pub fn len_bytes(&self) -> u32 {
        self.geometry.len(self.piece)
    }
}

/// The state after `piece`: a link or, after the last piece, the digest. The caller has checked the length.
pub(super) fn hash_piece(geometry: &Geometry, piece: PieceIndex, before: State, bytes: &[u8]) -> State {
    after_piece(geometry, piece, before.compress(bytes), bytes)
}

/// The same, when the whole blocks of `bytes` are `compressed` already.
fn after_piece(geometry: &Geometry, piece: PieceIndex, compressed: State, bytes: &[u8]) -> State {
    if piece == geometry.last_piece() { compressed.finish(bytes, geometry.blob_bytes()) } else { compressed }
}
