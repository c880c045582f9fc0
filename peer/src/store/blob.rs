//! A complete blob, open to be read.

use std::{fs::File, path::PathBuf, sync::Arc};

use super::{disk::DiskFile, error::StoreError};

/// A complete blob. It stays readable while this lives, even when the store removes it meanwhile.
#[derive(Clone, Debug)]
pub struct CompleteBlob {
    size_bytes: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
}

impl CompleteBlob {
    pub(super) fn new(size_bytes: u64, path: PathBuf, file: Arc<dyn DiskFile>) -> Self {
        Self { size_bytes, path, file }
    }

    /// Length of the blob.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Fills `bytes` with the blob's, from `offset`.
    ///
    /// # Errors
    /// When the range goes past the end, or the disk can't read it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_at(offset, bytes).map_err(|source| StoreError::Disk {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Reads what is in memory of the bytes from `offset` on. Never waits for the disk: less than asked for, or nothing,
    /// is to be had by [`Self::read_at`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, StoreError> {
        self.file.read_cached(offset, bytes).map_err(|source| StoreError::Disk {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// The open file, to stream from; `None` on a disk that has no such thing. Its position is shared: read by
    /// offset.
    pub fn std_file(&self) -> Option<&File> {
        self.file.std_file()
    }
}
