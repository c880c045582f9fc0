//! Memory for pieces and parts of blobs, used again: the kernel gives fresh memory page by page and zeroed, which costs
//! as much as TLS does.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::{BufMut, buf::Limit};

/// Buffers that wait to be used again. How many there are at a time is bounded by who takes them; this bounds what
/// stays of it.
const MAX_KEPT: usize = 16;

/// What waits to be used again.
type Kept = Mutex<Vec<Vec<u8>>>;

/// Lends buffers. They are given back to the system with the last clone of this.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    kept: Arc<Kept>,
}

/// Finds the [`Buffers`] that others have at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBuffers(Arc<Mutex<Weak<Kept>>>);

/// Bytes whose memory is used again once they are dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    from: Weak<Kept>,
}

impl SharedBuffers {
    /// The same ones for all who have them at a time.
    pub(crate) fn get(&self) -> Buffers {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = shared.upgrade().unwrap_or_default();
        *shared = Arc::downgrade(&kept);
        Buffers { kept }
    }
}

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let mut buffer = self.take_any();
        buffer.bytes.clear();
        buffer
    }

    /// A buffer of that length with anything in it, to be written over.
    pub(crate) fn take_full(&self, len_bytes: usize) -> Buffer {
        let mut buffer = self.take_any();
        buffer.bytes.resize(len_bytes, 0);
        buffer
    }

    fn take_any(&self) -> Buffer {
        let bytes = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Buffer { bytes, from: Arc::downgrade(&self.kept) }
    }
}

impl Buffer {
    /// Room for bytes until there are `len_bytes`.
    pub(crate) fn room(&mut self, len_bytes: usize) -> Limit<&mut Vec<u8>> {
        let missing = len_bytes.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(missing);
        (&mut self.bytes).limit(missing)
    }

    /// Drops what is beyond `len_bytes`.
    pub(crate) fn truncate(&mut self, len_bytes: usize) {
        self.bytes.truncate(len_bytes);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(kept) = self.from.upgrade() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_goes_with_the_last_user() {
        let shared = SharedBuffers::default();
        let (one, other) = (shared.get(), shared.get());
        let mut piece = one.take();
        piece.room(3).put_slice(b"one");
        assert_eq!(&*piece, b"one");
        let memory = piece.as_ptr();
        drop(piece);
        let mut again = other.take();
        assert!(again.is_empty());
        again.room(3).put_slice(b"two");
        assert_eq!(again.as_ptr(), memory);
        drop((one, other));
        drop(again);
        assert!(shared.get().kept.lock().unwrap().is_empty());
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let buffers = Buffers::default();
        let taken: Vec<_> = (0..MAX_KEPT + 5).map(|_| buffers.take()).collect();
        drop(taken);
        assert_eq!(buffers.kept.lock().unwrap().len(), MAX_KEPT);
    }
}
