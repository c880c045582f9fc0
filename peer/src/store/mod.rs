//! What a node keeps on its disk: blobs in files named by their digests, and a small index beside them.
//!
//! Invariant: under a final name lies a whole blob whose bytes are durable and have that digest. Content is synced
//! before it is renamed, and both directories after. So the files are the truth: the index adds media types,
//! chains and which pieces of an unfinished blob are durable, and it is rebuilt from the files when it is lost.
//!
//! ```text
//! lock                                  held while a process uses the directory
//! index.redb                            media types, chains, recorded pieces, tags
//! blobs/<algorithm>/<2 hex>/<hex>       complete blobs
//! partial/<algorithm>-<hex>             pieces at their offsets, until the blob is complete
//! ```
//!
//! A piece that was *written* can be read at once and may be gone after a crash. A *recorded* one is durable, and
//! still has to be hashed again after a restart ([`PartialBlob::confirm`]). Every call blocks: asynchronous callers
//! use `spawn_blocking`, also to drop the last handle on a [`PartialBlob`]. There is no quota here, and no notion of last use.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shoal_protocol::{
    bitfield::Bitfield,
    bounds::{MAX_CONTROL_FRAME_BYTES, MAX_MANIFEST_BYTES},
    digest::Digest,
    geometry::Geometry,
};

mod blob;
pub mod disk;
mod error;
mod index;
mod index_file;
mod layout;
mod naming;
mod partial;
mod real;
mod recovery;
mod rows;
mod shelf;
mod stats;
mod tags;
#[cfg(test)]
mod tests;
mod volume;

pub use blob::CompleteBlob;
pub use error::{PartialError, StoreError};
pub use partial::PartialBlob;
pub use real::RealDisk;
pub use recovery::Recovered;
pub use stats::StoreStats;

use disk::Disk;
use shelf::Shelf;

/// Longest media type: what RFC 6838 lets a type and a subtype have.
const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// A handle on a node's store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    shelf: Arc<Shelf>,
}

/// What is known of a complete blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// The blob.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
    /// Its media type, where one was given; lost with the index.
    pub media_type: Option<String>,
}

/// A blob of which some pieces are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialInfo {
    /// The blob.
    pub digest: Digest,
    /// How it is cut.
    pub geometry: Geometry,
    /// The pieces that were durable when they were recorded.
    pub recorded: Bitfield,
    /// The chain recorded with them.
    pub chain: Option<Vec<u8>>,
}

impl Store {
    /// Opens the store in `dir`, which is made when missing, and puts right what a crash left behind.
    ///
    /// Takes long only when the index is lost: then every blob is hashed.
    ///
    /// # Errors
    /// When another process has the directory, or the disk refuses.
    pub fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Recovered), StoreError> {
        let (shelf, recovered) = recovery::open(dir, disk)?;
        Ok((Self { shelf: Arc::new(shelf) }, recovered))
    }

    /// The complete blobs, in no order.
    pub fn blobs(&self) -> Vec<BlobInfo> {
        self.shelf.blobs()
    }

    /// What is known of a complete blob.
    pub fn info(&self, digest: &Digest) -> Option<BlobInfo> {
        self.shelf.info(digest)
    }

    /// Opens a complete blob; `None` when there is none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<CompleteBlob>, StoreError> {
        self.shelf.open_blob(digest)
    }

    /// The chain kept beside a blob, complete or not. The index may have lost it, and then it has to be made anew.
    pub fn chain(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.shelf.chain(digest)
    }

    /// The blobs of which some pieces are recorded, in no order.
    pub fn partials(&self) -> Vec<PartialInfo> {
        self.shelf.partials()
    }

    /// Opens a blob to write its pieces: a new one, the one that is being written, or one with recorded pieces.
    ///
    /// When the recorded pieces have another geometry, they are thrown away.
    ///
    /// # Errors
    /// When the blob is complete, is being written with another geometry, caching is off or the disk refuses.
    pub fn begin(&self, digest: &Digest, geometry: Geometry) -> Result<PartialBlob, StoreError> {
        self.shelf.begin(digest, geometry)
    }

    /// Keeps small content whole, such as a manifest, as durably as any blob.
    ///
    /// # Errors
    /// When the bytes are too many or have another digest, caching is off or the disk refuses.
    pub fn put(&self, digest: &Digest, media_type: Option<&str>, bytes: &[u8]) -> Result<(), StoreError> {
        check_len("content put whole", bytes.len(), MAX_MANIFEST_BYTES)?;
        check_media_type(media_type)?;
        if Digest::of(digest.algorithm(), bytes) != *digest {
            return Err(StoreError::WrongDigest { digest: *digest });
        }
        self.shelf.put(digest, media_type, bytes)
    }

    /// Removes a complete blob; true when there was one. Who has it open can read on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.shelf.remove(digest)
    }

    /// Remembers something under a tag's name. The last few may be forgotten in a crash.
    ///
    /// # Errors
    /// When key or value are too long, or the index refuses.
    pub fn remember_tag(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        tags::check_bounds(key, value)?;
        self.shelf.index().remember_tag(key, value)
    }

    /// What is remembered under a tag's name.
    ///
    /// # Errors
    /// When the index refuses.
    pub fn tag(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.shelf.index().tag(key)
    }

    /// Bytes of content on disk: complete blobs, and the pieces of others.
    pub fn bytes_used(&self) -> u64 {
        let stats = self.stats();
        stats.blob_bytes + stats.partial_bytes
    }

    /// The counters, and the sizes now.
    pub fn stats(&self) -> StoreStats {
        self.shelf.stats()
    }
}

fn check_len(what: &'static str, found_bytes: usize, limit_bytes: usize) -> Result<(), StoreError> {
    if found_bytes > limit_bytes {
        return Err(StoreError::TooLarge { what, found_bytes, limit_bytes });
    }
    Ok(())
}

fn check_media_type(media_type: Option<&str>) -> Result<(), StoreError> {
    check_len("a media type", media_type.map_or(0, str::len), MAX_MEDIA_TYPE_BYTES)
}

fn check_chain(chain: &[u8]) -> Result<(), StoreError> {
    check_len("a chain", chain.len(), MAX_CONTROL_FRAME_BYTES)
}

/// A thread that panicked while it held one of our locks left nothing half done: each guards single assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
