//! How a client finds out whether it got the right bytes, while more of them come.

use std::{fs::File, io, os::unix::fs::FileExt};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use shoal_protocol::digest::Digest;
use tokio::{sync::mpsc, task::JoinHandle};

/// What is shorter is hashed at once: to hand it to another thread takes longer.
const INLINE_BYTES: u64 = 64 * 1024;
/// How many chunks may wait for their hash.
const WAITING_CHUNKS: usize = 64;
/// So much is compared at a time: what a core's nearest caches hold twice.
const COMPARED_BYTES: usize = 16 * 1024;

/// The bytes that a client has to get.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// Those with this digest.
    Digest(&'a Digest),
    /// Those of this file: to compare takes a fraction of the time that hashing takes.
    File(&'a File),
}

/// Looks at bytes as they come.
pub(super) enum Check<'a> {
    Hash { hash: Hash, digest: &'a Digest },
    Comparison(Comparison<'a>),
}

/// Hashes beside the socket, as a runtime does, unless there is little.
pub(super) enum Hash {
    Here(Sha256),
    Beside { chunks: mpsc::Sender<Bytes>, hashing: JoinHandle<Digest> },
}

pub(super) struct Comparison<'a> {
    file: &'a File,
    compared_bytes: u64,
    is_same: bool,
    part: Vec<u8>,
}

impl<'a> Check<'a> {
    /// For a body of so many bytes, if that is known.
    pub(super) fn begin(expected: Expected<'a>, len_bytes: Option<u64>) -> Self {
        match expected {
            Expected::Digest(digest) => Self::Hash { hash: Hash::begin(len_bytes), digest },
            Expected::File(file) => {
                let part = vec![0; COMPARED_BYTES];
                Self::Comparison(Comparison { file, compared_bytes: 0, is_same: true, part })
            }
        }
    }

    /// Fails when the file can't be read.
    pub(super) async fn update(&mut self, chunk: Bytes) -> io::Result<()> {
        match self {
            Self::Hash { hash, .. } => hash.update(chunk).await,
            Self::Comparison(comparison) => comparison.update(&chunk)?,
        }
        Ok(())
    }

    /// True when these were the bytes, all of them. Fails when the file can't be read.
    pub(super) async fn finish(self) -> io::Result<bool> {
        match self {
            Self::Hash { hash, digest } => Ok(hash.finish().await.as_ref() == Some(digest)),
            Self::Comparison(comparison) => comparison.finish(),
        }
    }
}

impl Hash {
    fn begin(len_bytes: Option<u64>) -> Self {
        if len_bytes.is_some_and(|len_bytes| len_bytes <= INLINE_BYTES) {
            return Self::Here(Sha256::new());
        }
        let (chunks, mut waiting) = mpsc::channel::<Bytes>(WAITING_CHUNKS);
        let hashing = tokio::task::spawn_blocking(move || {
            let mut hash = Sha256::new();
            while let Some(chunk) = waiting.blocking_recv() {
                hash.update(&chunk);
            }
            Digest::Sha256(hash.finalize().into())
        });
        Self::Beside { chunks, hashing }
    }

    async fn update(&mut self, chunk: Bytes) {
        match self {
            Self::Here(hash) => hash.update(&chunk),
            // Fails only when the hashing thread is gone, which `finish` sees.
            Self::Beside { chunks, .. } => drop(chunks.send(chunk).await),
        }
    }

    async fn finish(self) -> Option<Digest> {
        match self {
            Self::Here(hash) => Some(Digest::Sha256(hash.finalize().into())),
            Self::Beside { chunks, hashing } => {
                drop(chunks);
                hashing.await.ok()
            }
        }
    }
}

impl Comparison<'_> {
    fn update(&mut self, chunk: &[u8]) -> io::Result<()> {
        for came in chunk.chunks(COMPARED_BYTES) {
            let part = &mut self.part[..came.len()];
            match self.file.read_exact_at(part, self.compared_bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.is_same = false,
                read => read.map(|()| self.is_same &= part == came)?,
            }
            self.compared_bytes += came.len() as u64;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<bool> {
        Ok(self.is_same && self.compared_bytes == self.file.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LEN_BYTES: usize = 3 * COMPARED_BYTES + 5;

    async fn is_right(expected: Expected<'_>, body: &[u8]) -> bool {
        let mut check = Check::begin(expected, None);
        for chunk in body.chunks(COMPARED_BYTES + 100) {
            check.update(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        check.finish().await.unwrap()
    }

    #[tokio::test]
    async fn only_the_very_bytes_pass() {
        let body: Vec<u8> = (0..LEN_BYTES).map(|index| (index % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&body).unwrap();
        let digest = Digest::Sha256(Sha256::digest(&body).into());

        let mut garbled = body.clone();
        garbled[LEN_BYTES - 1] ^= 1;
        let mut longer = body.clone();
        longer.push(0);
        for expected in [Expected::Digest(&digest), Expected::File(&file)] {
            assert!(is_right(expected, &body).await);
            for wrong in [&garbled, &longer, &body[..COMPARED_BYTES].to_vec(), &Vec::new()] {
                assert!(!is_right(expected, wrong).await);
            }
        }
    }
}
