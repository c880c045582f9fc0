//! What the store counts, and whether it still caches.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::error::StoreError;

/// The store's counters since it was opened, and its sizes now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Complete blobs.
    pub blobs: u64,
    /// Bytes of complete blobs.
    pub blob_bytes: u64,
    /// Blobs of which some pieces are on disk.
    pub partials: u64,
    /// Bytes of those pieces.
    pub partial_bytes: u64,
    /// Syncs that failed. From the first one on, nothing is cached.
    pub failed_syncs: u64,
    /// Operations that a full disk refused.
    pub full: u64,
    /// Index commits that failed; the files stay the truth.
    pub failed_commits: u64,
    /// Complete blobs whose file had vanished or changed its length.
    pub lost_blobs: u64,
    /// Why nothing is cached any more, if so.
    pub degraded: Option<Arc<str>>,
}

/// The counters behind [`StoreStats`], and the switch that a failed sync turns off for good.
#[derive(Debug, Default)]
pub(super) struct Health {
    degraded: OnceLock<Arc<str>>,
    failed_syncs: AtomicU64,
    full: AtomicU64,
    failed_commits: AtomicU64,
    lost_blobs: AtomicU64,
}

impl Health {
    /// An error when caching is off.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.degraded.get() {
            None => Ok(()),
            Some(cause) => Err(StoreError::Degraded { cause: cause.clone() }),
        }
    }

    /// Turns caching off because of a failed sync.
    pub(super) fn degrade(&self, cause: String) -> StoreError {
        self.failed_syncs.fetch_add(1, Relaxed);
        tracing::error!(%cause, "the store caches nothing more: a failed sync may have lost data");
        StoreError::Degraded { cause: self.degraded.get_or_init(|| cause.into()).clone() }
    }

    pub(super) fn count_full(&self) {
        self.full.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failed_commit(&self) {
        self.failed_commits.fetch_add(1, Relaxed);
    }

    pub(super) fn count_lost_blob(&self) {
        self.lost_blobs.fetch_add(1, Relaxed);
    }

    /// The counters; sizes are left at zero.
    pub(super) fn stats(&self) -> StoreStats {
        StoreStats {
            failed_syncs: self.failed_syncs.load(Relaxed),
            full: self.full.load(Relaxed),
            failed_commits: self.failed_commits.load(Relaxed),
            lost_blobs: self.lost_blobs.load(Relaxed),
            degraded: self.degraded.get().cloned(),
            ..StoreStats::default()
        }
    }
}
