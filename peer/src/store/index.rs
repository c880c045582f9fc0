//! The index: what the files can't say, in one redb database. It can be lost without losing a blob.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{
    Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase, StorageError, WriteTransaction,
};
use shoal_protocol::{bitfield::Bitfield, digest::Digest, geometry::Geometry};

use super::{
    BlobInfo,
    disk::Open,
    error::StoreError,
    index_file::IndexFile,
    rows::{
        BLOBS, CHAINS, PARTIALS, Rows, create_tables, damaged, drop_lone_chain, encode_key, put_blob,
        put_chain,
    },
    tags,
    volume::Volume,
};

/// A row is small, and hot ones are in memory anyway: what redb would take by itself is a gigabyte.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Index {
    volume: Arc<Volume>,
    /// `None` after a failure: redb refuses everything then, and is opened anew for the next operation.
    database: RwLock<Option<Database>>,
}

/// What became of the index when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Kept,
    Missing,
    Damaged,
}

/// Corrections of the index after a look at the files.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    pub(super) add_blobs: Vec<BlobInfo>,
    pub(super) drop_blobs: Vec<Digest>,
    pub(super) drop_partials: Vec<Digest>,
}

impl Index {
    /// Opens the index, or starts an empty one in the place of what can't be read.
    pub(super) fn open(volume: Arc<Volume>) -> Result<(Self, Rows, Origin), StoreError> {
        let path = volume.layout.index();
        let missing = match volume.open_existing(&path, Open::Read)? {
            None => true,
            Some(file) => file.len_bytes().is_ok_and(|len_bytes| len_bytes == 0),
        };
        let mut origin = if missing { Origin::Missing } else { Origin::Kept };
        let mut opened = open_and_load(&volume);
        if let Err(error) = &opened
            && is_damage(error)
        {
            tracing::warn!(path = %path.display(), %error, "the index is damaged: building it anew from the blobs");
            volume.remove(&path)?;
            origin = Origin::Damaged;
            opened = open_and_load(&volume);
        }
        let (database, rows) = opened.map_err(|error| failure(&volume, error))?;
        Ok((Self { volume, database: RwLock::new(Some(database)) }, rows, origin))
    }

    /// Makes a blob's row and ends its time as a partial one.
    pub(super) fn complete(&self, blob: &BlobInfo, chain: Option<&[u8]>) -> Result<(), StoreError> {
        self.write(Durability::Immediate, |transaction| {
            put_blob(transaction, blob)?;
            transaction.open_table(PARTIALS)?.remove(&*encode_key(&blob.digest))?;
            chain.map_or(Ok(()), |chain| put_chain(transaction, &blob.digest, chain))
        })
    }

    /// Commits which pieces of a blob are durable.
    pub(super) fn record(
        &self,
        digest: &Digest,
        geometry: Geometry,
        recorded: &Bitfield,
        chain: &[u8],
    ) -> Result<(), StoreError> {
        self.write(Durability::Immediate, |transaction| {
            let row = (geometry.blob_bytes(), geometry.piece_bytes(), recorded.as_bytes());
            transaction.open_table(PARTIALS)?.insert(&*encode_key(digest), row)?;
            // A row of the blob removed before may be left: its removal was not durable by itself.
            transaction.open_table(BLOBS)?.remove(&*encode_key(digest))?;
            put_chain(transaction, digest, chain)
        })
    }

    /// Drops all rows of a blob. Not durable by itself: a row without its file is dropped at the next start.
    pub(super) fn forget(&self, digest: &Digest) -> Result<(), StoreError> {
        self.write(Durability::None, |transaction| forget(transaction, digest))
    }

    pub(super) fn correct(&self, corrections: &Corrections) -> Result<(), StoreError> {
        let Corrections { add_blobs, drop_blobs, drop_partials } = corrections;
        if add_blobs.is_empty() && drop_blobs.is_empty() && drop_partials.is_empty() {
            return Ok(());
        }
        self.write(Durability::Immediate, |transaction| {
            add_blobs.iter().try_for_each(|blob| put_blob(transaction, blob))?;
            for digest in drop_blobs {
                transaction.open_table(BLOBS)?.remove(&*encode_key(digest))?;
            }
            for digest in drop_partials {
                transaction.open_table(PARTIALS)?.remove(&*encode_key(digest))?;
            }
            drop_blobs.iter().chain(drop_partials).try_for_each(|digest| drop_lone_chain(transaction, digest))
        })
    }

    pub(super) fn chain(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| {
            let found = transaction.open_table(CHAINS)?.get(&*encode_key(digest))?;
            Ok(found.map(|chain| chain.value().to_vec()))
        })
    }

    /// Remembers a tag. Not durable by itself: the origin can tell again what a crash takes.
    pub(super) fn remember_tag(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.write(Durability::None, |transaction| tags::remember(transaction, key, value))
    }

    pub(super) fn tag(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| tags::recall(transaction, key))
    }

    fn write(
        &self,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        self.volume.health.check()?;
        self.with_database(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(durability)?;
            // Chains and media types come from other nodes: no content may make a torn commit look whole.
            transaction.set_two_phase_commit(true);
            change(&transaction)?;
            Ok(transaction.commit()?)
        })
        .inspect_err(|_| self.volume.health.count_failed_commit())
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.with_database(|database| look(&database.begin_read()?))
    }

    fn with_database<T>(
        &self,
        operation: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.reopen()?;
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let result = match &*guard {
            Some(database) => operation(database),
            None => Err(redb::Error::PreviousIo),
        };
        drop(guard);
        result.map_err(|error| {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
            failure(&self.volume, error)
        })
    }

    /// Opens the database anew after a failure that may pass, such as a full disk.
    fn reopen(&self) -> Result<(), StoreError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        self.volume.health.check()?;
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some(open_database(&self.volume).map_err(|error| failure(&self.volume, error))?);
        }
        Ok(())
    }
}

fn forget(transaction: &WriteTransaction, digest: &Digest) -> Result<(), redb::Error> {
    let key = encode_key(digest);
    transaction.open_table(BLOBS)?.remove(&*key)?;
    transaction.open_table(PARTIALS)?.remove(&*key)?;
    transaction.open_table(CHAINS)?.remove(&*key)?;
    Ok(())
}

fn open_and_load(volume: &Arc<Volume>) -> Result<(Database, Rows), redb::Error> {
    // redb checks all it reads, and a damaged file should end in an error; where it panics, that is damage too.
    let attempt = || {
        let database = open_database(volume)?;
        let transaction = database.begin_write()?;
        create_tables(&transaction)?;
        transaction.commit()?;
        let rows = Rows::load(&database.begin_read()?)?;
        Ok((database, rows))
    };
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| Err(damaged("reading it panicked")))
}

fn open_database(volume: &Arc<Volume>) -> Result<Database, redb::Error> {
    let path = volume.layout.index();
    let file = volume.open(&path, Open::Ensure).map_err(|error| redb::Error::Io(into_io(error)))?;
    // A process that was killed after a failed sync leaves a cache that shows commits the disk never got.
    file.forget_cache();
    let backend = IndexFile::new(volume.clone(), path, file);
    redb::Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create_with_backend(backend)
        .map_err(|error| match error {
            DatabaseError::UpgradeRequired(_) | DatabaseError::RepairAborted => damaged(error.to_string()),
            DatabaseError::Storage(StorageError::Corrupted(what)) => damaged(what),
            other => other.into(),
        })
}

fn is_damage(error: &redb::Error) -> bool {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => true,
        redb::Error::Io(error) => matches!(error.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

fn into_io(error: StoreError) -> io::Error {
    match error {
        StoreError::Disk { source, .. } => source,
        other => io::Error::other(other),
    }
}

/// The store's word for a failure of redb: a failed sync below it has its own.
fn failure(volume: &Volume, source: redb::Error) -> StoreError {
    if let Err(degraded) = volume.health.check() {
        return degraded;
    }
    let error = StoreError::Index { path: volume.layout.index(), source: Box::new(source) };
    if error.is_full() {
        volume.health.count_full();
    }
    error
}
