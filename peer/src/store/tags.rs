//! What a seed remembers of tags: a small table of its own in the index, oldest out first.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::{
    error::StoreError,
    rows::{TAG_ORDER, TAGS},
};

/// Most tags remembered: some tens of megabytes at worst.
pub(super) const MAX_TAGS: u64 = 16 * 1024;
/// Longest key: a registry's host, a repository and a tag, each at its own limit.
const MAX_KEY_BYTES: usize = 1024;
/// Longest value: a descriptor and when it was seen.
const MAX_VALUE_BYTES: usize = 2048;

pub(super) fn check_bounds(key: &str, value: &[u8]) -> Result<(), StoreError> {
    super::check_len("a tag's key", key.len(), MAX_KEY_BYTES)?;
    super::check_len("a tag's value", value.len(), MAX_VALUE_BYTES)
}

pub(super) fn remember(transaction: &WriteTransaction, key: &str, value: &[u8]) -> Result<(), redb::Error> {
    let mut tags = transaction.open_table(TAGS)?;
    let mut order = transaction.open_table(TAG_ORDER)?;
    let place = order.last()?.map_or(0, |(place, _)| place.value() + 1);
    let earlier = tags.insert(key, (place, value))?.map(|earlier| earlier.value().0);
    if let Some(earlier) = earlier {
        order.remove(earlier)?;
    }
    order.insert(place, key)?;
    while tags.len()? > MAX_TAGS {
        let Some((_, oldest)) = order.pop_first()? else { break };
        tags.remove(oldest.value())?;
    }
    Ok(())
}

pub(super) fn recall(transaction: &ReadTransaction, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(transaction.open_table(TAGS)?.get(key)?.map(|found| found.value().1.to_vec()))
}
