//! A blob that is being written, piece by piece.

use std::{
    fs::File,
    ops::Range,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use shoal_protocol::{
    bitfield::Bitfield,
    digest::Digest,
    geometry::{Geometry, PieceIndex},
};

use super::{
    BlobInfo, CompleteBlob, PartialError, StoreError, check_chain, check_media_type, disk::DiskFile, lock,
    shelf::Shelf,
};

/// A blob that is being written; clones write the same one.
///
/// The caller verifies each piece before it writes it. When the last handle goes, recorded pieces stay on disk for
/// the next [`Store::begin`](super::Store::begin), and without any the file goes too.
#[derive(Clone, Debug)]
pub struct PartialBlob {
    writing: Arc<Writing>,
}

/// What the handles on one partial blob share.
#[derive(Debug)]
pub(super) struct Writing {
    shelf: Arc<Shelf>,
    digest: Digest,
    geometry: Geometry,
    generation: u64,
    file: Arc<dyn DiskFile>,
    /// Writers hold it to read, so that no write can land in a file that has its final name.
    phase: RwLock<Phase>,
    /// Held while a piece is written: the kernel lets one write into a file at a time, and others burn a core meanwhile.
    turn: Mutex<()>,
    /// Taken by one recording at a time, so that the index never goes back to fewer bits.
    recording: Mutex<Recording>,
    pieces: Mutex<Pieces>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
}

#[derive(Debug)]
struct Recording {
    recorded: Bitfield,
    /// The file's own name is durable.
    named: bool,
}

#[derive(Debug)]
struct Pieces {
    present: Bitfield,
    unconfirmed: Bitfield,
}

impl From<Arc<Writing>> for PartialBlob {
    fn from(writing: Arc<Writing>) -> Self {
        Self { writing }
    }
}

impl PartialBlob {
    /// The blob.
    pub fn digest(&self) -> &Digest {
        &self.writing.digest
    }

    /// How it is cut.
    pub fn geometry(&self) -> Geometry {
        self.writing.geometry
    }

    /// Pieces that an earlier run recorded: each is hashed, and then confirmed or written anew.
    pub fn unconfirmed(&self) -> Bitfield {
        lock(&self.writing.pieces).unconfirmed.clone()
    }

    /// Takes a piece of an earlier run for good. Call it when its bytes, from [`Self::read_piece`], verified.
    pub fn confirm(&self, piece: PieceIndex) {
        lock(&self.writing.pieces).unconfirmed.clear(piece);
    }

    /// Writes a verified piece at its place. It can be read at once, and is not durable.
    ///
    /// # Errors
    /// When the length is not the piece's, the blob is closed or the disk refuses.
    pub fn write_piece(&self, piece: PieceIndex, bytes: &[u8]) -> Result<(), PartialError> {
        let writing = &*self.writing;
        writing.check_len(piece, bytes.len())?;
        let _open = writing.open()?;
        let offset = writing.geometry.range(piece).start;
        let result = {
            let _turn = lock(&writing.turn);
            writing.file.write_at(offset, bytes)
        };
        let mut pieces = lock(&writing.pieces);
        pieces.unconfirmed.clear(piece);
        match result {
            Ok(()) => pieces.present.set(piece),
            // It may be half written now, over what was there.
            Err(_) => pieces.present.clear(piece),
        };
        result.map_err(|source| writing.disk_error("write", source).into())
    }

    /// Reads a whole piece, confirmed or not, into `bytes`, which must have its length.
    ///
    /// # Errors
    /// When the length is not the piece's, the piece is not here or the disk can't read it.
    pub fn read_piece(&self, piece: PieceIndex, bytes: &mut [u8]) -> Result<(), PartialError> {
        let writing = &*self.writing;
        writing.check_len(piece, bytes.len())?;
        if !lock(&writing.pieces).present.has(piece) {
            return Err(PartialError::NotHere { piece });
        }
        let offset = writing.geometry.range(piece).start;
        writing.file.read_at(offset, bytes).map_err(|source| writing.disk_error("read", source).into())
    }

    /// Fills `bytes` with the blob's, from `offset`: across pieces, all of them here and none unconfirmed.
    ///
    /// # Errors
    /// When one of the pieces is not here or unconfirmed, or the disk can't read it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), PartialError> {
        let writing = &*self.writing;
        writing.check_range(offset, bytes.len())?;
        writing.file.read_at(offset, bytes).map_err(|source| writing.disk_error("read", source).into())
    }

    /// Reads what is in memory of the blob's bytes from `offset` on, across pieces as [`Self::read_at`]. Never waits for
    /// the disk.
    ///
    /// # Errors
    /// When one of the pieces is not here or unconfirmed, or the disk refuses.
    pub fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, PartialError> {
        let writing = &*self.writing;
        writing.check_range(offset, bytes.len())?;
        writing.file.read_cached(offset, bytes).map_err(|source| writing.disk_error("read", source).into())
    }

    /// The open file, to send the bytes of `range` from; `None` when one of their pieces is not here or unconfirmed, or on
    /// a disk that has no such thing.
    pub fn std_file(&self, range: Range<u64>) -> Option<&File> {
        let len_bytes = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        self.writing.check_range(range.start, len_bytes).ok()?;
        self.writing.file.std_file()
    }

    /// Makes everything written so far durable, then commits that `pieces` are, with the chain known by now.
    ///
    /// # Errors
    /// When a piece is not here or unconfirmed, the chain is too long, the blob is closed or the disk refuses. After
    /// a failed sync the file is gone.
    pub fn record(&self, pieces: &[PieceIndex], chain: &[u8]) -> Result<(), PartialError> {
        check_chain(chain)?;
        let writing = &*self.writing;
        let open = writing.open()?;
        writing.shelf.volume().health.check()?;
        let mut recording = lock(&writing.recording);
        writing.check_usable(pieces.iter().copied())?;
        if let Err(error) = writing.sync(&mut recording) {
            drop((recording, open));
            writing.close(&mut writing.phase_mut());
            return Err(error.into());
        }
        let mut recorded = recording.recorded.clone();
        for piece in pieces {
            recorded.set(*piece);
        }
        let Writing { digest, geometry, generation, .. } = writing;
        if !writing.shelf.record(digest, *generation, *geometry, &recorded, chain)? {
            return Err(PartialError::Closed { digest: *digest });
        }
        recording.recorded = recorded;
        Ok(())
    }

    /// Ends the writing of a blob whose chain has closed: durable, under its final name, in the index.
    ///
    /// # Errors
    /// When a piece is missing or unconfirmed, chain or media type are too long, the blob is closed or the disk
    /// refuses. After a failed sync the file is gone; after any other error, try again or discard.
    pub fn complete(&self, chain: &[u8], media_type: Option<&str>) -> Result<CompleteBlob, PartialError> {
        check_chain(chain)?;
        check_media_type(media_type)?;
        let writing = &*self.writing;
        let mut phase = writing.phase_mut();
        writing.check_open(*phase)?;
        writing.shelf.volume().health.check()?;
        writing.check_usable(0..writing.geometry.piece_count())?;
        let result = writing.finish(chain, media_type);
        match &result {
            Ok(_) => *phase = Phase::Closed,
            Err(PartialError::Store(StoreError::Degraded { .. })) => writing.close(&mut phase),
            Err(_) => {}
        }
        result
    }

    /// Throws the blob away, and what was recorded of it.
    pub fn discard(self) {
        let mut phase = self.writing.phase_mut();
        if *phase == Phase::Open {
            self.writing.close(&mut phase);
        }
    }
}

impl Writing {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        digest: Digest,
        geometry: Geometry,
        generation: u64,
        file: Arc<dyn DiskFile>,
        recorded: Bitfield,
    ) -> Self {
        Self {
            shelf,
            digest,
            geometry,
            generation,
            file,
            phase: RwLock::new(Phase::Open),
            turn: Mutex::new(()),
            pieces: Mutex::new(Pieces { present: recorded.clone(), unconfirmed: recorded.clone() }),
            recording: Mutex::new(Recording { named: false, recorded }),
        }
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn present(&self) -> Bitfield {
        lock(&self.pieces).present.clone()
    }

    fn sync(&self, recording: &mut Recording) -> Result<(), StoreError> {
        let volume = self.shelf.volume();
        volume.sync_file(&*self.file, &volume.layout.partial(&self.digest))?;
        if !recording.named {
            volume.sync_dir(&volume.layout.partial_dir())?;
            recording.named = true;
        }
        Ok(())
    }

    fn finish(&self, chain: &[u8], media_type: Option<&str>) -> Result<CompleteBlob, PartialError> {
        let volume = self.shelf.volume();
        let size_bytes = self.geometry.blob_bytes();
        volume.sync_file(&*self.file, &volume.layout.partial(&self.digest))?;
        let media_type = media_type.map(str::to_owned);
        let blob = BlobInfo { digest: self.digest, size_bytes, media_type };
        if !self.shelf.publish_partial(self.generation, blob, chain)? {
            return Err(PartialError::Closed { digest: self.digest });
        }
        Ok(CompleteBlob::new(size_bytes, volume.layout.blob(&self.digest), self.file.clone()))
    }

    /// Drops the file: nothing can be read or written any more.
    fn close(&self, phase: &mut Phase) {
        *phase = Phase::Closed;
        lock(&self.pieces).present = Bitfield::empty(self.geometry.piece_count());
        self.shelf.forget_partial(&self.digest, self.generation);
    }

    fn open(&self) -> Result<RwLockReadGuard<'_, Phase>, PartialError> {
        let phase = self.phase.read().unwrap_or_else(PoisonError::into_inner);
        self.check_open(*phase)?;
        Ok(phase)
    }

    fn phase_mut(&self) -> RwLockWriteGuard<'_, Phase> {
        self.phase.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self, phase: Phase) -> Result<(), PartialError> {
        match phase {
            Phase::Open => Ok(()),
            Phase::Closed => Err(PartialError::Closed { digest: self.digest }),
        }
    }

    fn check_len(&self, piece: PieceIndex, found_bytes: usize) -> Result<(), PartialError> {
        let expected_bytes = self.geometry.len(piece);
        if piece > self.geometry.last_piece() || expected_bytes as usize != found_bytes {
            return Err(PartialError::Length { piece, expected_bytes, found_bytes });
        }
        Ok(())
    }

    fn check_range(&self, offset: u64, len_bytes: usize) -> Result<(), PartialError> {
        let end = offset.saturating_add(len_bytes as u64);
        if end > self.geometry.blob_bytes() {
            return Err(PartialError::NotHere { piece: self.geometry.piece_count() });
        }
        self.check_usable(self.geometry.covering(offset..end))
    }

    fn check_usable(&self, wanted: impl IntoIterator<Item = PieceIndex>) -> Result<(), PartialError> {
        let pieces = lock(&self.pieces);
        for piece in wanted {
            if !pieces.present.has(piece) {
                return Err(PartialError::NotHere { piece });
            }
            if pieces.unconfirmed.has(piece) {
                return Err(PartialError::Unconfirmed { piece });
            }
        }
        Ok(())
    }

    fn disk_error(&self, action: &'static str, source: std::io::Error) -> StoreError {
        let volume = self.shelf.volume();
        volume.error(action, volume.layout.partial(&self.digest), source)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let open = *self.phase_mut() == Phase::Open;
        if open && lock(&self.recording).recorded.is_empty() {
            self.shelf.forget_partial(&self.digest, self.generation);
        }
    }
}
