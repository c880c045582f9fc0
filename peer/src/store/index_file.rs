//! redb's file, on the store's disk: so that tests can fail it, and a failed sync turns caching off here too.

use std::{io, path::PathBuf, sync::Arc};

use super::{disk::DiskFile, volume::Volume};

#[derive(Debug)]
pub(super) struct IndexFile {
    volume: Arc<Volume>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
}

impl IndexFile {
    pub(super) fn new(volume: Arc<Volume>, path: PathBuf, file: Arc<dyn DiskFile>) -> Self {
        Self { volume, path, file }
    }
}

impl redb::StorageBackend for IndexFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, bytes)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.volume.sync_file(&*self.file, &self.path).map_err(io::Error::other)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }
}
