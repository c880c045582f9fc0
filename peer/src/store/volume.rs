//! The disk with the store's rules on top: errors name the file, a full disk is counted, and a failed sync
//! is never tried again.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    disk::{Disk, DiskFile, Listed, Open},
    error::{StoreError, is_full},
    layout::Layout,
    stats::Health,
};

#[derive(Debug)]
pub(super) struct Volume {
    disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) health: Health,
}

impl Volume {
    pub(super) fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, layout: Layout::new(root), health: Health::default() }
    }

    pub(super) fn create_dir(&self, path: &Path) -> Result<(), StoreError> {
        self.disk.create_dir(path).map_err(|source| self.error("create", path, source))
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<Listed>, StoreError> {
        self.disk.list(path).map_err(|source| self.error("list", path, source))
    }

    pub(super) fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, StoreError> {
        self.disk.open(path, how).map_err(|source| self.error("open", path, source))
    }

    /// Opens what may be missing.
    pub(super) fn open_existing(
        &self,
        path: &Path,
        how: Open,
    ) -> Result<Option<Arc<dyn DiskFile>>, StoreError> {
        match self.disk.open(path, how) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.error("open", path, source)),
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.disk.rename(from, to).map_err(|source| self.error("rename", from, source))
    }

    /// Removes a file; that it is gone already is no error.
    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.disk.remove(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(self.error("remove", path, source))
            }
            _ => Ok(()),
        }
    }

    /// Removes a file that nothing depends on: where that fails, the next start sweeps it away.
    pub(super) fn sweep(&self, path: &Path) {
        if let Err(error) = self.remove(path) {
            tracing::warn!(%error, "left a file behind");
        }
    }

    /// Makes a file's content durable, or turns caching off.
    pub(super) fn sync_file(&self, file: &dyn DiskFile, path: &Path) -> Result<(), StoreError> {
        self.sync(path, || file.sync_data())
    }

    /// Makes a directory's names durable, or turns caching off.
    pub(super) fn sync_dir(&self, path: &Path) -> Result<(), StoreError> {
        self.sync(path, || self.disk.sync_dir(path))
    }

    /// The kernel reports a lost write once and then forgets it: a second try would succeed and prove nothing.
    fn sync(&self, path: &Path, sync: impl FnOnce() -> io::Result<()>) -> Result<(), StoreError> {
        self.health.check()?;
        sync().map_err(|error| self.health.degrade(format!("syncing {} failed: {error}", path.display())))
    }

    pub(super) fn error(
        &self,
        action: &'static str,
        path: impl Into<PathBuf>,
        source: io::Error,
    ) -> StoreError {
        if is_full(&source) {
            self.health.count_full();
        }
        StoreError::Disk { action, path: path.into(), source }
    }
}
