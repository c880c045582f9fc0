//! Where the bytes of a piece come from.

use std::io;

use crate::store::{CompleteBlob, PartialBlob};

/// A file with pieces. Cheap to clone.
pub trait PieceSource: Clone + Send + Sync + 'static {
    /// Reads what is in memory of the bytes from `offset` on: less than asked for, or nothing, where the rest would
    /// have to be waited for. Never blocks.
    ///
    /// # Errors
    /// When the bytes are not to be had.
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;

    /// Fills `bytes` from `offset`. Blocks.
    ///
    /// # Errors
    /// When the bytes are not to be had.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl PieceSource for CompleteBlob {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.read_cached(offset, bytes).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, bytes).map_err(io::Error::other)
    }
}

impl PieceSource for PartialBlob {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.read_cached(offset, bytes).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, bytes).map_err(io::Error::other)
    }
}
