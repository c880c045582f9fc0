//! The index's tables, and how rows become values again.

use std::collections::HashMap;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use shoal_protocol::{
    bitfield::Bitfield,
    digest::{Algorithm, Digest},
    geometry::Geometry,
};

use super::BlobInfo;

/// Complete blobs: length and media type.
pub(super) const BLOBS: TableDefinition<&[u8], (u64, Option<&str>)> = TableDefinition::new("blobs");
/// Blobs in pieces: their length, that of a piece, and the recorded pieces as a bitfield.
pub(super) const PARTIALS: TableDefinition<&[u8], (u64, u32, &[u8])> = TableDefinition::new("partials");
/// The chain kept beside a blob of either kind.
pub(super) const CHAINS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("chains");
/// What is remembered of a tag, and its place in [`TAG_ORDER`].
pub(super) const TAGS: TableDefinition<&str, (u64, &[u8])> = TableDefinition::new("tags");
/// Tags in the order in which they were remembered.
pub(super) const TAG_ORDER: TableDefinition<u64, &str> = TableDefinition::new("tag order");

/// What the index says exists; the files decide.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) blobs: HashMap<Digest, BlobInfo>,
    pub(super) partials: HashMap<Digest, (Geometry, Bitfield)>,
}

impl Rows {
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, redb::Error> {
        let mut rows = Self::default();
        for entry in transaction.open_table(BLOBS)?.iter()? {
            let (key, value) = entry?;
            let digest = decode_key(key.value())?;
            let (size_bytes, media_type) = value.value();
            let media_type = media_type.map(str::to_owned);
            rows.blobs.insert(digest, BlobInfo { digest, size_bytes, media_type });
        }
        for entry in transaction.open_table(PARTIALS)?.iter()? {
            let (key, value) = entry?;
            let (blob_bytes, piece_bytes, bits) = value.value();
            let geometry =
                Geometry::new(blob_bytes, piece_bytes).map_err(|error| damaged(error.to_string()))?;
            let recorded = Bitfield::from_bytes(bits.to_vec(), geometry.piece_count())
                .map_err(|error| damaged(error.to_string()))?;
            rows.partials.insert(decode_key(key.value())?, (geometry, recorded));
        }
        Ok(rows)
    }
}

/// Makes the tables that are missing, so that reading never meets a missing one.
pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(BLOBS)?;
    transaction.open_table(PARTIALS)?;
    transaction.open_table(CHAINS)?;
    transaction.open_table(TAGS)?;
    transaction.open_table(TAG_ORDER)?;
    Ok(())
}

/// Puts a complete blob's row.
pub(super) fn put_blob(transaction: &WriteTransaction, blob: &BlobInfo) -> Result<(), redb::Error> {
    let value = (blob.size_bytes, blob.media_type.as_deref());
    transaction.open_table(BLOBS)?.insert(&*encode_key(&blob.digest), value)?;
    Ok(())
}

/// Puts a chain, if it is not there as it is: a long one costs more than looking.
pub(super) fn put_chain(
    transaction: &WriteTransaction,
    digest: &Digest,
    chain: &[u8],
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(CHAINS)?;
    let key = encode_key(digest);
    let known = table.get(&*key)?.is_some_and(|known| known.value() == chain);
    if !known {
        table.insert(&*key, chain)?;
    }
    Ok(())
}

/// Drops the chain of what is neither complete nor being written.
pub(super) fn drop_lone_chain(transaction: &WriteTransaction, digest: &Digest) -> Result<(), redb::Error> {
    let key = encode_key(digest);
    let is_kept = transaction.open_table(BLOBS)?.get(&*key)?.is_some()
        || transaction.open_table(PARTIALS)?.get(&*key)?.is_some();
    if !is_kept {
        transaction.open_table(CHAINS)?.remove(&*key)?;
    }
    Ok(())
}

/// The algorithm's number, then the hash.
pub(super) fn encode_key(digest: &Digest) -> Vec<u8> {
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    };
    [&[algorithm], digest.hash()].concat()
}

fn decode_key(key: &[u8]) -> Result<Digest, redb::Error> {
    let digest = match key.split_first() {
        Some((1, hash)) => Digest::from_hash(Algorithm::Sha256, hash),
        Some((2, hash)) => Digest::from_hash(Algorithm::Sha512, hash),
        _ => None,
    };
    digest.ok_or_else(|| damaged("a key is no digest"))
}

pub(super) fn damaged(what: impl Into<String>) -> redb::Error {
    redb::Error::Corrupted(what.into())
}
