//! Which pieces a node has.

use alloc::{vec, vec::Vec};

use crate::geometry::PieceIndex;

/// Bytes that are looked at together.
const WORD_BYTES: usize = 8;
/// The first piece of a word.
const FIRST_OF_WORD: u64 = 1 << 63;

/// A fixed-length set of pieces. On the wire, piece 0 is the highest bit of the first byte (as in BEP 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

/// Why bytes are no bitfield of the expected length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitfieldError {
    /// The number of bytes does not fit the number of pieces.
    #[error("a bitfield of {expected} bytes was expected, got {found}")]
    Length {
        /// Bytes that the blob's pieces take.
        expected: usize,
        /// Bytes received.
        found: usize,
    },
    /// A bit past the last piece is set.
    #[error("a bitfield sets a bit past its last piece")]
    SpareBits,
}

impl Bitfield {
    /// A set for `len` pieces, with none in it.
    pub fn empty(len: u32) -> Self {
        Self { bytes: vec![0; (len as usize).div_ceil(8)], len, ones: 0 }
    }

    /// A set for `len` pieces, with all in it.
    pub fn full(len: u32) -> Self {
        let mut field = Self::empty(len);
        (0..len).for_each(|piece| {
            field.set(piece);
        });
        field
    }

    /// Reads what [`Self::as_bytes`] gave.
    ///
    /// # Errors
    /// When the number of bytes is not that of `len` pieces, or a bit past the end is set.
    pub fn from_bytes(bytes: Vec<u8>, len: u32) -> Result<Self, BitfieldError> {
        let expected = (len as usize).div_ceil(8);
        if bytes.len() != expected {
            return Err(BitfieldError::Length { expected, found: bytes.len() });
        }
        let spare = (expected * 8) as u32 - len;
        if spare > 0 && bytes.last().is_some_and(|last| last & ((1 << spare) - 1) != 0) {
            return Err(BitfieldError::SpareBits);
        }
        let ones = bytes.iter().map(|byte| byte.count_ones()).sum();
        Ok(Self { bytes, len, ones })
    }

    /// The wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of pieces the set is about.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// True when no piece is in the set.
    pub const fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// True when every piece is in the set.
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Number of pieces in the set.
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// True when `piece` is in the set; false past the end.
    pub fn has(&self, piece: PieceIndex) -> bool {
        piece < self.len && self.bytes[piece as usize / 8] & (0x80 >> (piece % 8)) != 0
    }

    /// Adds `piece`; true when it was not there. A piece past the end changes nothing.
    pub fn set(&mut self, piece: PieceIndex) -> bool {
        if piece >= self.len || self.has(piece) {
            return false;
        }
        self.bytes[piece as usize / 8] |= 0x80 >> (piece % 8);
        self.ones += 1;
        true
    }

    /// Takes `piece` out; true when it was there.
    pub fn clear(&mut self, piece: PieceIndex) -> bool {
        if !self.has(piece) {
            return false;
        }
        self.bytes[piece as usize / 8] &= !(0x80 >> (piece % 8));
        self.ones -= 1;
        true
    }

    /// The pieces in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.pieces_of(|index| self.word(index))
    }

    /// The pieces in this set and not in `other`, in order.
    pub fn minus<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = PieceIndex> + 'a {
        self.pieces_of(|index| self.word(index) & !other.word(index))
    }

    /// True when a piece is in this set and not in `other`.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let words = 0..self.bytes.len().div_ceil(WORD_BYTES);
        self.ones > other.ones || words.into_iter().any(|index| self.word(index) & !other.word(index) != 0)
    }

    /// The pieces that the words of a set like this one stand for.
    fn pieces_of<'a>(&'a self, word: impl Fn(usize) -> u64 + 'a) -> impl Iterator<Item = PieceIndex> + 'a {
        let count = self.bytes.len().div_ceil(WORD_BYTES);
        let (mut next, mut left) = (0, 0u64);
        core::iter::from_fn(move || {
            while left == 0 {
                if next == count {
                    return None;
                }
                left = word(next);
                next += 1;
            }
            let bit = left.leading_zeros();
            left &= !(FIRST_OF_WORD >> bit);
            Some((next as u32 - 1) * u64::BITS + bit)
        })
    }

    /// Sixty-four pieces, the first in the highest bit; none past the end.
    #[inline]
    fn word(&self, index: usize) -> u64 {
        let rest = self.bytes.get(index * WORD_BYTES..).unwrap_or_default();
        let mut word = [0; WORD_BYTES];
        match rest.first_chunk() {
            Some(whole) => word = *whole,
            None => word[..rest.len()].copy_from_slice(rest),
        }
        u64::from_be_bytes(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_any_length_are_compared_piece_by_piece() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let len = rng.u32(0..200);
            let mut random = |share: u8| {
                let mut set = Bitfield::empty(len);
                (0..len).filter(|_| rng.u8(..8) < share).for_each(|piece| {
                    set.set(piece);
                });
                set
            };
            let (one, other) = (random(4), random(7));
            let expected: Vec<PieceIndex> =
                (0..len).filter(|piece| one.has(*piece) && !other.has(*piece)).collect();
            assert_eq!(one.minus(&other).collect::<Vec<_>>(), expected);
            assert_eq!(one.has_more_than(&other), !expected.is_empty());
            assert_eq!(one.iter().count(), one.count() as usize);
        }
    }
}
