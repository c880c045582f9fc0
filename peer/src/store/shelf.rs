//! The store's shared state: what is complete, what is being written, and who may change a name.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use shoal_protocol::{bitfield::Bitfield, digest::Digest, geometry::Geometry};

use super::{
    BlobInfo, CompleteBlob, PartialBlob, PartialInfo, StoreError, StoreStats,
    disk::{DiskFile, Open},
    index::Index,
    lock,
    partial::Writing,
    volume::Volume,
};

/// Locks are taken in the order of the fields, and only `names` is held while the disk works.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) names: Mutex<Names>,
    pub(super) partials: Mutex<HashMap<Digest, Partial>>,
    pub(super) blobs: RwLock<HashMap<Digest, BlobInfo>>,
    pub(super) volume: Arc<Volume>,
    pub(super) index: Index,
    /// Last, so that the directory is given up after all else is closed.
    _held: Held,
}

/// The store's directory, held for this process.
#[derive(Debug)]
pub(super) struct Held(pub(super) Arc<dyn DiskFile>);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is not enough: a process forked meanwhile has the file too, until it runs another program.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the store's lock goes with the process");
        }
    }
}

/// Held by whoever makes, moves or removes files.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Fan-out directories whose own name is durable.
    pub(super) fan_outs: HashSet<PathBuf>,
    last_number: u64,
}

impl Names {
    /// A number that nothing else has while the process lives.
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// A blob in pieces, whether somebody writes it now or not.
#[derive(Debug)]
pub(super) struct Partial {
    geometry: Geometry,
    pub(super) recorded: Bitfield,
    writing: Weak<Writing>,
    /// Tells a writer whether the file under the blob's name is still its own.
    pub(super) generation: u64,
}

impl Partial {
    pub(super) fn idle(geometry: Geometry, recorded: Bitfield) -> Self {
        Self { geometry, recorded, writing: Weak::new(), generation: 0 }
    }
}

impl Shelf {
    pub(super) fn new(
        volume: Arc<Volume>,
        index: Index,
        held: Held,
        blobs: HashMap<Digest, BlobInfo>,
        partials: HashMap<Digest, Partial>,
    ) -> Self {
        Self {
            names: Mutex::default(),
            partials: Mutex::new(partials),
            blobs: RwLock::new(blobs),
            volume,
            index,
            _held: held,
        }
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn volume(&self) -> &Volume {
        &self.volume
    }

    pub(super) fn blobs(&self) -> Vec<BlobInfo> {
        self.blobs.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn info(&self, digest: &Digest) -> Option<BlobInfo> {
        self.blobs.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    pub(super) fn chain(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.index.chain(digest).unwrap_or_else(|error| {
            tracing::warn!(%digest, %error, "no chain from the index");
            None
        })
    }

    pub(super) fn partials(&self) -> Vec<PartialInfo> {
        let found: Vec<_> = lock(&self.partials)
            .iter()
            .filter(|(_, partial)| !partial.recorded.is_empty())
            .map(|(digest, partial)| (*digest, partial.geometry, partial.recorded.clone()))
            .collect();
        let with_chain = |(digest, geometry, recorded)| PartialInfo {
            digest,
            geometry,
            recorded,
            chain: self.chain(&digest),
        };
        found.into_iter().map(with_chain).collect()
    }

    pub(super) fn stats(&self) -> StoreStats {
        let mut stats = self.volume.health.stats();
        // Out of the lock before a handle is dropped: the last one takes that lock itself.
        let partials: Vec<_> = lock(&self.partials)
            .values()
            .map(|partial| (partial.geometry, partial.recorded.clone(), partial.writing.upgrade()))
            .collect();
        stats.partials = partials.len() as u64;
        stats.partial_bytes = partials
            .into_iter()
            .map(|(geometry, recorded, writing)| {
                let pieces = writing.map_or(recorded, |writing| writing.present());
                pieces.iter().map(|piece| u64::from(geometry.len(piece))).sum::<u64>()
            })
            .sum();
        let blobs = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        stats.blobs = blobs.len() as u64;
        stats.blob_bytes = blobs.values().map(|blob| blob.size_bytes).sum();
        stats
    }

    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<CompleteBlob>, StoreError> {
        let Some(info) = self.info(digest) else { return Ok(None) };
        match self.open_whole(&info)? {
            None => self.open_lost(digest),
            found => Ok(found),
        }
    }

    /// The blob's file, if it is there at its length.
    pub(super) fn open_whole(&self, info: &BlobInfo) -> Result<Option<CompleteBlob>, StoreError> {
        let path = self.volume.layout.blob(&info.digest);
        let file = self.volume.open_existing(&path, Open::Read)?;
        let whole = file.filter(|file| file.len_bytes().is_ok_and(|found| found == info.size_bytes));
        Ok(whole.map(|file| CompleteBlob::new(info.size_bytes, path, file)))
    }

    pub(super) fn begin(
        self: &Arc<Self>,
        digest: &Digest,
        geometry: Geometry,
    ) -> Result<PartialBlob, StoreError> {
        self.volume.health.check()?;
        // Before the guard, so dropped after it: dropping the last handle takes the lock on names itself.
        let writing;
        let mut names = lock(&self.names);
        if self.info(digest).is_some() {
            return Err(StoreError::Complete { digest: *digest });
        }
        writing = lock(&self.partials).get(digest).and_then(|partial| partial.writing.upgrade());
        if let Some(writing) = &writing {
            return if writing.geometry() == geometry {
                Ok(PartialBlob::from(writing.clone()))
            } else {
                Err(StoreError::OtherGeometry { digest: *digest })
            };
        }
        let generation = names.number();
        let (file, recorded) = self.open_partial(digest, geometry)?;
        let writing = Writing::new(self.clone(), *digest, geometry, generation, file, recorded.clone());
        let writing = Arc::new(writing);
        let partial = Partial { geometry, recorded, writing: Arc::downgrade(&writing), generation };
        lock(&self.partials).insert(*digest, partial);
        Ok(PartialBlob::from(writing))
    }

    /// The file with the recorded pieces, or a new one where there is none that fits.
    fn open_partial(
        &self,
        digest: &Digest,
        geometry: Geometry,
    ) -> Result<(Arc<dyn DiskFile>, Bitfield), StoreError> {
        let path = self.volume.layout.partial(digest);
        let known = lock(&self.partials).get(digest).map(|known| (known.geometry, known.recorded.clone()));
        if let Some((known, recorded)) = known.as_ref().filter(|(_, recorded)| !recorded.is_empty()) {
            let file = self.volume.open_existing(&path, Open::Update)?.filter(|_| *known == geometry);
            if let Some(file) = file {
                file.forget_cache();
                return Ok((file, recorded.clone()));
            }
            lock(&self.partials).remove(digest);
            self.forget_rows(digest);
        }
        self.volume.remove(&path)?;
        Ok((self.volume.open(&path, Open::New)?, Bitfield::empty(geometry.piece_count())))
    }

    /// Rows without a file are dropped at the next start anyway, so a failing index may keep them.
    pub(super) fn forget_rows(&self, digest: &Digest) {
        if let Err(error) = self.index.forget(digest) {
            tracing::debug!(%digest, %error, "the index keeps rows of a removed blob");
        }
    }
}
