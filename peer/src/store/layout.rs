//! Where things lie in the store's directory. Paths are made from digests and constants only.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use shoal_protocol::digest::{Algorithm, Digest};

/// The algorithms that have a directory under `blobs/`.
pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// Hex digits that name a fan-out directory: keeps each one short with many thousands of blobs.
const FAN_OUT_DIGITS: usize = 2;

/// The paths under one store's directory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index.redb")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn algorithm_dir(&self, algorithm: Algorithm) -> PathBuf {
        self.blobs().join(algorithm.name())
    }

    pub(super) fn fan_out_dir(&self, digest: &Digest) -> PathBuf {
        let mut hex = digest.hex();
        hex.truncate(FAN_OUT_DIGITS);
        self.algorithm_dir(digest.algorithm()).join(hex)
    }

    /// The final name of a complete blob.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.fan_out_dir(digest).join(digest.hex())
    }

    pub(super) fn partial_dir(&self) -> PathBuf {
        self.root.join("partial")
    }

    /// The file that takes a blob's pieces until it is complete.
    pub(super) fn partial(&self, digest: &Digest) -> PathBuf {
        self.partial_dir().join(format!("{}-{}", digest.algorithm().name(), digest.hex()))
    }

    /// A file that is written whole; swept away when the store opens next.
    pub(super) fn temporary(&self, number: u64) -> PathBuf {
        self.partial_dir().join(format!("put-{number}"))
    }
}

/// True for the name of a fan-out directory.
pub(super) fn is_fan_out(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.len() == FAN_OUT_DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The digest that a file under `fan_out` is named after; `None` when it is none, or lies in the wrong place.
pub(super) fn parse_blob(algorithm: Algorithm, fan_out: &OsStr, name: &OsStr) -> Option<Digest> {
    let name = name.to_str()?;
    let digest = format!("{}:{name}", algorithm.name()).parse().ok()?;
    name.starts_with(fan_out.to_str()?).then_some(digest)
}

/// The digest that a file under `partial/` is named after.
pub(super) fn parse_partial(name: &OsStr) -> Option<Digest> {
    let (algorithm, hex) = name.to_str()?.split_once('-')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// True for the name of a file that was being written whole.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|name| name.strip_prefix("put-"))
        .is_some_and(|number| number.parse::<u64>().is_ok())
}
