//! How content gets its final name, and loses it.

use std::{path::Path, sync::PoisonError};

use shoal_protocol::{bitfield::Bitfield, digest::Digest, geometry::Geometry};

use super::{
    BlobInfo, CompleteBlob, StoreError,
    disk::Open,
    lock,
    shelf::{Names, Shelf},
};

impl Shelf {
    /// Writes small content whole. Given again with another media type, it takes that one.
    pub(super) fn put(
        &self,
        digest: &Digest,
        media_type: Option<&str>,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.volume.health.check()?;
        let known = self.info(digest);
        if known.is_some_and(|known| media_type.is_none() || known.media_type.as_deref() == media_type) {
            return Ok(());
        }
        let path = self.volume.layout.temporary(lock(&self.names).number());
        let file = self.volume.open(&path, Open::New)?;
        let media_type = media_type.map(str::to_owned);
        let blob = BlobInfo { digest: *digest, size_bytes: bytes.len() as u64, media_type };
        file.write_at(0, bytes)
            .map_err(|source| self.volume.error("write", &path, source))
            .and_then(|()| self.volume.sync_file(&*file, &path))
            .and_then(|()| self.publish(&mut lock(&self.names), &path, blob, None))
            .inspect_err(|_| self.volume.sweep(&path))
    }

    /// Makes a synced partial file a complete blob; false when the file was taken from the writer meanwhile.
    ///
    /// After [`StoreError::Degraded`] the content may have no name at all; after another error it has its old one.
    pub(super) fn publish_partial(
        &self,
        generation: u64,
        blob: BlobInfo,
        chain: &[u8],
    ) -> Result<bool, StoreError> {
        let mut names = lock(&self.names);
        if !self.owns(&blob.digest, generation) {
            return Ok(self.info(&blob.digest).is_some());
        }
        let path = self.volume.layout.partial(&blob.digest);
        self.publish(&mut names, &path, blob, Some(chain)).map(|()| true)
    }

    /// Commits which pieces of a blob are durable; false when the file was taken from the writer meanwhile.
    pub(super) fn record(
        &self,
        digest: &Digest,
        generation: u64,
        geometry: Geometry,
        recorded: &Bitfield,
        chain: &[u8],
    ) -> Result<bool, StoreError> {
        // Not without the lock: a blob put whole at the same time would lose its row to that of its pieces.
        let _names = lock(&self.names);
        if !self.owns(digest, generation) {
            return Ok(false);
        }
        self.index.record(digest, geometry, recorded, chain)?;
        if let Some(partial) = lock(&self.partials).get_mut(digest) {
            partial.recorded = recorded.clone();
        }
        Ok(true)
    }

    pub(super) fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.remove_named(&lock(&self.names), digest)
    }

    /// Looks again while no name can change, and forgets a blob whose file somebody else removed or cut.
    pub(super) fn open_lost(&self, digest: &Digest) -> Result<Option<CompleteBlob>, StoreError> {
        let names = lock(&self.names);
        let Some(info) = self.info(digest) else { return Ok(None) };
        let found = self.open_whole(&info)?;
        if found.is_none() {
            tracing::warn!(%digest, "forgotten: the file of a complete blob vanished or changed its length");
            self.volume.health.count_lost_blob();
            self.remove_named(&names, digest)?;
        }
        Ok(found)
    }

    fn remove_named(&self, _held: &Names, digest: &Digest) -> Result<bool, StoreError> {
        if self.info(digest).is_none() {
            return Ok(false);
        }
        self.volume.remove(&self.volume.layout.blob(digest))?;
        self.blobs.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
        self.forget_rows(digest);
        Ok(true)
    }

    /// Removes a partial file and all that is known of it, if it is still the writer's own.
    pub(super) fn forget_partial(&self, digest: &Digest, generation: u64) {
        let _names = lock(&self.names);
        if !self.owns(digest, generation) {
            return;
        }
        let forgotten = lock(&self.partials).remove(digest);
        self.volume.sweep(&self.volume.layout.partial(digest));
        if forgotten.is_some_and(|partial| !partial.recorded.is_empty()) {
            self.forget_rows(digest);
        }
    }

    /// False once the blob was put whole meanwhile: then the writer's file has no name any more.
    fn owns(&self, digest: &Digest, generation: u64) -> bool {
        lock(&self.partials).get(digest).is_some_and(|partial| partial.generation == generation)
    }

    fn publish(
        &self,
        names: &mut Names,
        from: &Path,
        mut blob: BlobInfo,
        chain: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        if let Some(known) = self.info(&blob.digest) {
            blob.media_type = blob.media_type.or(known.media_type);
            self.volume.sweep(from);
        } else {
            self.name(names, from, &blob.digest)?;
        }
        if let Err(error) = self.index.complete(&blob, chain) {
            // The file is the truth, and durable. The next start finds it and tells the index.
            tracing::warn!(digest = %blob.digest, %error, "a complete blob is not in the index");
        }
        if lock(&self.partials).remove(&blob.digest).is_some() {
            self.volume.sweep(&self.volume.layout.partial(&blob.digest));
        }
        self.blobs.write().unwrap_or_else(PoisonError::into_inner).insert(blob.digest, blob);
        Ok(())
    }

    /// Gives synced content its final name, durably.
    fn name(&self, names: &mut Names, from: &Path, digest: &Digest) -> Result<(), StoreError> {
        let layout = &self.volume.layout;
        let fan_out = layout.fan_out_dir(digest);
        if !names.fan_outs.contains(&fan_out) {
            self.volume.create_dir(&fan_out)?;
            self.volume.sync_dir(&layout.algorithm_dir(digest.algorithm()))?;
            names.fan_outs.insert(fan_out.clone());
        }
        let to = layout.blob(digest);
        self.volume.rename(from, &to)?;
        self.volume
            .sync_dir(&fan_out)
            .and_then(|()| self.volume.sync_dir(&layout.partial_dir()))
            .inspect_err(|_| self.volume.sweep(&to))
    }
}
