//! Opening a store: what is on disk decides, and the index is put right.

use std::{collections::HashMap, path::Path, sync::Arc};

use shoal_protocol::digest::{Algorithm, Digest};

use super::{
    BlobInfo, StoreError,
    disk::{Disk, DiskFile, Kind, Listed, Open},
    index::{Corrections, Index, Origin},
    layout::{ALGORITHMS, is_fan_out, is_temporary, parse_blob, parse_partial},
    rows::Rows,
    shelf::{Held, Partial, Shelf},
    volume::Volume,
};

/// Read at a time while hashing.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// What opening a store found and put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Complete blobs now.
    pub blobs: usize,
    /// Blobs with recorded pieces now. Each of those pieces has to be hashed again.
    pub partials: usize,
    /// Complete blobs that the index did not know: hashed and taken in.
    pub adopted_blobs: usize,
    /// Files under final names that held something else: removed.
    pub wrong_blobs: usize,
    /// Files under final names that could not be read: left alone, and not served.
    pub unreadable_blobs: usize,
    /// Blobs in the index without their file: forgotten.
    pub lost_blobs: usize,
    /// Partial files with nothing recorded, or recorded pieces without a file: removed.
    pub dropped_partials: usize,
    /// Names that are none of ours: left alone, and named in the log.
    pub odd_files: usize,
    /// The index could not be read, or was missing where there are blobs.
    pub index_rebuilt: bool,
}

pub(super) fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<(Shelf, Recovered), StoreError> {
    let volume = Arc::new(Volume::new(disk, dir));
    let held = make_directories(&volume)?;
    let (index, rows, origin) = Index::open(volume.clone())?;
    volume.sync_dir(volume.layout.root())?;
    let mut survey = Survey::new(&volume, rows);
    survey.blobs()?;
    survey.partials()?;
    survey.index_leftovers();
    if let Err(error) = index.correct(&survey.corrections) {
        tracing::warn!(%error, "the index could not be put right; the next start tries again");
    }
    let Survey { blobs, partials, mut recovered, .. } = survey;
    recovered.blobs = blobs.len();
    recovered.partials = partials.len();
    recovered.index_rebuilt =
        origin == Origin::Damaged || (origin == Origin::Missing && recovered.adopted_blobs > 0);
    Ok((Shelf::new(volume, index, held, blobs, partials), recovered))
}

fn make_directories(volume: &Volume) -> Result<Held, StoreError> {
    let layout = &volume.layout;
    volume.create_dir(layout.root())?;
    let path = layout.lock();
    let file = volume.open(&path, Open::Ensure)?;
    if !file.try_lock().map_err(|source| volume.error("lock", &path, source))? {
        return Err(StoreError::Locked { path });
    }
    let held = Held(file);
    volume.create_dir(&layout.partial_dir())?;
    for algorithm in ALGORITHMS {
        volume.create_dir(&layout.algorithm_dir(algorithm))?;
    }
    volume.sync_dir(&layout.blobs())?;
    Ok(held)
}

/// A walk through the directory, compared with the index's rows.
struct Survey<'a> {
    volume: &'a Volume,
    rows: Rows,
    blobs: HashMap<Digest, BlobInfo>,
    partials: HashMap<Digest, Partial>,
    corrections: Corrections,
    recovered: Recovered,
}

impl<'a> Survey<'a> {
    fn new(volume: &'a Volume, rows: Rows) -> Self {
        Self {
            volume,
            rows,
            blobs: HashMap::new(),
            partials: HashMap::new(),
            corrections: Corrections::default(),
            recovered: Recovered::default(),
        }
    }

    fn blobs(&mut self) -> Result<(), StoreError> {
        for algorithm in ALGORITHMS {
            let dir = self.volume.layout.algorithm_dir(algorithm);
            for fan_out in self.volume.list(&dir)? {
                let path = dir.join(&fan_out.name);
                if fan_out.kind == Kind::Dir && is_fan_out(&fan_out.name) {
                    self.fan_out(algorithm, &fan_out, &path)?;
                } else {
                    self.odd(&path);
                }
            }
        }
        Ok(())
    }

    fn fan_out(&mut self, algorithm: Algorithm, fan_out: &Listed, path: &Path) -> Result<(), StoreError> {
        for file in self.volume.list(path)? {
            match (parse_blob(algorithm, &fan_out.name, &file.name), file.kind) {
                (Some(digest), Kind::File { len_bytes }) => {
                    self.blob(digest, len_bytes, &path.join(&file.name));
                }
                _ => self.odd(&path.join(&file.name)),
            }
        }
        Ok(())
    }

    /// The index knows a blob only after all of it was durable, so its length tells enough. Any other is hashed.
    fn blob(&mut self, digest: Digest, size_bytes: u64, path: &Path) {
        if let Some(known) = self.rows.blobs.get(&digest).filter(|known| known.size_bytes == size_bytes) {
            self.blobs.insert(digest, known.clone());
            return;
        }
        match self.adopt(&digest, size_bytes, path) {
            Ok(true) => {
                let blob = BlobInfo { digest, size_bytes, media_type: None };
                self.recovered.adopted_blobs += 1;
                self.corrections.add_blobs.push(blob.clone());
                self.blobs.insert(digest, blob);
            }
            Ok(false) => {
                tracing::warn!(path = %path.display(), "removed: its bytes have another digest than its name");
                self.recovered.wrong_blobs += 1;
                self.volume.sweep(path);
            }
            Err(error) => {
                tracing::warn!(%error, "ignored: whether it is whole can't be told");
                self.recovered.unreadable_blobs += 1;
            }
        }
    }

    /// True when the file has that digest, and is durable as if it had been completed now.
    fn adopt(&self, digest: &Digest, size_bytes: u64, path: &Path) -> Result<bool, StoreError> {
        let file = self.volume.open(path, Open::Update)?;
        file.forget_cache();
        if self.hash(&*file, digest.algorithm(), size_bytes, path)? != Some(*digest) {
            return Ok(false);
        }
        // A crash may have come between the rename and the sync of its directories.
        let layout = &self.volume.layout;
        self.volume.sync_file(&*file, path)?;
        self.volume.sync_dir(&layout.fan_out_dir(digest))?;
        self.volume.sync_dir(&layout.algorithm_dir(digest.algorithm()))?;
        Ok(true)
    }

    fn hash(
        &self,
        file: &dyn DiskFile,
        algorithm: Algorithm,
        size_bytes: u64,
        path: &Path,
    ) -> Result<Option<Digest>, StoreError> {
        let read = |offset: u64, chunk: &mut [u8]| {
            file.read_at(offset, chunk).map_err(|source| self.volume.error("read", path, source))
        };
        let hash = match algorithm {
            Algorithm::Sha256 => hash_with::<sha2::Sha256>(size_bytes, read)?,
            Algorithm::Sha512 => hash_with::<sha2::Sha512>(size_bytes, read)?,
        };
        file.forget_cache();
        Ok(Digest::from_hash(algorithm, &hash))
    }

    fn partials(&mut self) -> Result<(), StoreError> {
        let dir = self.volume.layout.partial_dir();
        for file in self.volume.list(&dir)? {
            let path = dir.join(&file.name);
            let digest = parse_partial(&file.name);
            if !matches!(file.kind, Kind::File { .. }) || (digest.is_none() && !is_temporary(&file.name)) {
                self.odd(&path);
            } else if !digest.is_some_and(|digest| self.keep_partial(digest, &path)) {
                self.volume.sweep(&path);
                self.recovered.dropped_partials += 1;
            }
        }
        if self.partials.is_empty() { Ok(()) } else { self.volume.sync_dir(&dir) }
    }

    /// Keeps what has recorded pieces, unless the blob is complete: then this may be the same file's old name.
    fn keep_partial(&mut self, digest: Digest, path: &Path) -> bool {
        let Some((geometry, recorded)) = self.rows.partials.get(&digest) else { return false };
        if self.blobs.contains_key(&digest) {
            return false;
        }
        if let Err(error) = self.sync_partial(path) {
            tracing::warn!(%error, "dropped the recorded pieces of an unfinished blob");
            return false;
        }
        self.partials.insert(digest, Partial::idle(*geometry, recorded.clone()));
        true
    }

    /// A killed process may have begun the blob anew over rows of an earlier try: pieces that hash right now are then
    /// in no sync's care yet.
    fn sync_partial(&self, path: &Path) -> Result<(), StoreError> {
        let file = self.volume.open(path, Open::Update)?;
        self.volume.sync_file(&*file, path)
    }

    fn index_leftovers(&mut self) {
        let lost = |digest: &&Digest| !self.blobs.contains_key(*digest);
        self.corrections.drop_blobs.extend(self.rows.blobs.keys().filter(lost));
        self.recovered.lost_blobs = self.corrections.drop_blobs.len();
        let lost = |digest: &&Digest| !self.partials.contains_key(*digest);
        self.corrections.drop_partials.extend(self.rows.partials.keys().filter(lost));
        self.recovered.dropped_partials +=
            self.corrections.drop_partials.iter().filter(|digest| !self.blobs.contains_key(*digest)).count();
        for digest in &self.corrections.drop_blobs {
            tracing::warn!(%digest, "the index had a blob whose file is gone");
        }
    }

    fn odd(&mut self, path: &Path) {
        tracing::warn!(path = %path.display(), "ignored: nothing that the store puts there");
        self.recovered.odd_files += 1;
    }
}

fn hash_with<H: sha2::Digest>(
    size_bytes: u64,
    read: impl Fn(u64, &mut [u8]) -> Result<(), StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let mut hasher = H::new();
    let mut chunk = vec![0; size_bytes.min(CHUNK_BYTES) as usize];
    let mut offset = 0;
    while offset < size_bytes {
        let len = (size_bytes - offset).min(CHUNK_BYTES) as usize;
        read(offset, &mut chunk[..len])?;
        hasher.update(&chunk[..len]);
        offset += len as u64;
    }
    Ok(hasher.finalize().to_vec())
}
