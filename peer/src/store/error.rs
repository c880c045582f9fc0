//! What can go wrong with the store, and what to do about it.

use std::{io, path::PathBuf, sync::Arc};

use shoal_protocol::{digest::Digest, geometry::PieceIndex};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused.
    #[error("can't {action} {}: {source}; {}", path.display(), advice(source))]
    Disk {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the store's directory.
    #[error("{} is held by another process; stop that one, or set another data_dir", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A sync failed earlier, or just now: nothing more is cached until a restart.
    #[error("caching is off: {cause}; complete blobs are still served. Check the disk, then restart")]
    Degraded {
        /// The sync that failed.
        cause: Arc<str>,
    },
    /// The index refused.
    #[error("index {}: {source}; it is rebuilt from the blobs if it is removed while shoal is stopped", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What redb said.
        source: Box<redb::Error>,
    },
    /// The blob is complete: there is nothing to begin.
    #[error("{digest} is complete already")]
    Complete {
        /// The blob.
        digest: Digest,
    },
    /// The blob is being written in pieces of another length, or with another length in all.
    #[error("{digest} is being written with another length of blob or piece; discard that first")]
    OtherGeometry {
        /// The blob.
        digest: Digest,
    },
    /// Content was put under a digest that is not its own.
    #[error("the bytes given for {digest} have another digest")]
    WrongDigest {
        /// The digest it was to have.
        digest: Digest,
    },
    /// Something to remember exceeds its bound.
    #[error("{what} of {found_bytes} bytes: the store takes at most {limit_bytes}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its length.
        found_bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
}

impl StoreError {
    /// True when the disk, or this user's share of it, is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Disk { source, .. } => is_full(source),
            Self::Index { source, .. } => matches!(&**source, redb::Error::Io(source) if is_full(source)),
            _ => false,
        }
    }
}

/// Why an operation on a blob in pieces failed.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes are not as long as that piece.
    #[error("piece {piece} has {expected_bytes} bytes, not {found_bytes}")]
    Length {
        /// The piece, which may be past the end.
        piece: PieceIndex,
        /// Its length; zero past the end.
        expected_bytes: u32,
        /// Bytes given or asked for.
        found_bytes: usize,
    },
    /// The piece has not been written, or the range goes past the end.
    #[error("piece {piece} is not here")]
    NotHere {
        /// The piece.
        piece: PieceIndex,
    },
    /// The piece was recorded by an earlier run, and nobody has hashed it since.
    #[error("piece {piece} was kept from an earlier run: hash and confirm it first")]
    Unconfirmed {
        /// The piece.
        piece: PieceIndex,
    },
    /// The blob was completed or discarded, or its file was dropped after a failed sync.
    #[error("{digest} is no longer open for writing")]
    Closed {
        /// The blob.
        digest: Digest,
    },
}

pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        _ if is_full(error) => "free some space",
        PermissionDenied => "make it readable and writable for the user that runs shoal",
        ReadOnlyFilesystem => "mount it writable, or set another data_dir",
        NotADirectory => "a file stands where a directory belongs: move it, or set another data_dir",
        _ => "check the disk",
    }
}
