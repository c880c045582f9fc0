//! What stands before each piece on a lane.

use super::{
    codec::{Reader, Wire, WireError},
    control::Channel,
};
use crate::{
    bounds::{MAX_PIECE_BYTES, MAX_PIECES},
    geometry::PieceIndex,
};
use alloc::vec::Vec;

/// Says which piece the next `len_bytes` bytes of the lane are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneHeader {
    /// The blob, by the number that the sender of the piece gave it on its control stream.
    pub channel: Channel,
    /// The piece.
    pub piece: PieceIndex,
    /// Length of the piece, which follows.
    pub len_bytes: u32,
}

impl LaneHeader {
    /// Length of the binary form.
    pub const LEN: usize = 12;

    /// The binary form.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.channel.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.piece.to_be_bytes());
        bytes[8..].copy_from_slice(&self.len_bytes.to_be_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// When the piece number or the length exceeds its bound.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, WireError> {
        Self::decode(bytes)
    }
}

impl Wire for LaneHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let channel = Channel(Wire::read(input)?);
        let piece = Wire::read(input)?;
        if piece >= MAX_PIECES {
            return Err(WireError::Invalid("piece number"));
        }
        let len_bytes = input.count("piece length", MAX_PIECE_BYTES as usize)?;
        let len_bytes = u32::try_from(len_bytes).unwrap_or(MAX_PIECE_BYTES);
        Ok(Self { channel, piece, len_bytes })
    }
}
