//! Where the bytes of a piece come from.

use std::{fs::File, io, ops::Range};

use bytes::Bytes;

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

    /// The file with the bytes of `range` at the same offsets, if there is one and they may be sent from it.
    fn file(&self, _range: Range<u64>) -> Option<&File> {
        None
    }
}

impl PieceSource for Bytes {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        PieceSource::read_at(self, offset, bytes).map(|()| bytes.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let from_offset = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let found = from_offset.and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl PieceSource for CompleteBlob {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.read_cached(offset, bytes).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, bytes).map_err(io::Error::other)
    }

    fn file(&self, _range: Range<u64>) -> Option<&File> {
        self.std_file()
    }
}

impl PieceSource for PartialBlob {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.read_cached(offset, bytes).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, bytes).map_err(io::Error::other)
    }

    fn file(&self, range: Range<u64>) -> Option<&File> {
        self.std_file(range)
    }
}
