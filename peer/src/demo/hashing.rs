//! SHA-256 of what passes by.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};
use shoal_protocol::digest::Digest;

/// A writer that hashes what is written through it.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// The writer below, and the digest of all that went to it.
    pub(super) fn finish(self) -> (W, Digest) {
        (self.inner, Digest::Sha256(self.hash.finalize().into()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
