//! Which nodes have a blob: four bytes for each pair of node and blob.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};

use super::nodes::Slot;
use crate::{
    bounds::{MAX_BLOBS, MAX_HOLDINGS},
    digest::Digest,
    wire::Holding,
};

/// There is no room for another blob or pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// For each blob the nodes that have it, in order of their slots.
#[derive(Debug, Default)]
pub(super) struct Holders {
    blobs: BTreeMap<Digest, Vec<Holder>>,
    pairs: usize,
}

/// A slot, and in the lowest bit whether the node is still fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder(u32);

impl Holder {
    fn new(slot: Slot, holding: Holding) -> Self {
        Self(slot.0 << 1 | u32::from(holding == Holding::Fetching))
    }

    const fn slot(self) -> Slot {
        Slot(self.0 >> 1)
    }

    const fn holding(self) -> Holding {
        if self.0 & 1 == 0 { Holding::Holds } else { Holding::Fetching }
    }
}

impl Holders {
    /// Number of blobs that any node has.
    pub(super) fn len_blobs(&self) -> usize {
        self.blobs.len()
    }

    /// The nodes that have `digest`.
    pub(super) fn of(&self, digest: &Digest) -> impl Iterator<Item = (Slot, Holding)> + '_ {
        let holders = self.blobs.get(digest).map(Vec::as_slice).unwrap_or_default();
        holders.iter().map(|holder| (holder.slot(), holder.holding()))
    }

    /// What `slot` has of `digest`.
    pub(super) fn get(&self, slot: Slot, digest: &Digest) -> Option<Holding> {
        let holders = self.blobs.get(digest)?;
        let index = holders.binary_search_by_key(&slot, |holder| holder.slot()).ok()?;
        Some(holders[index].holding())
    }

    /// Notes what `slot` has of `digest` from now on, and tells what it had before.
    pub(super) fn set(
        &mut self,
        slot: Slot,
        digest: &Digest,
        holding: Option<Holding>,
    ) -> Result<Option<Holding>, Full> {
        match holding {
            Some(holding) => self.insert(digest, Holder::new(slot, holding)),
            None => Ok(self.remove(slot, digest)),
        }
    }

    /// Forgets all that `slot` has.
    pub(super) fn remove_all(&mut self, slot: Slot) {
        let mut removed = 0;
        self.blobs.retain(|_, holders| {
            if let Ok(index) = holders.binary_search_by_key(&slot, |holder| holder.slot()) {
                holders.remove(index);
                removed += 1;
            }
            !holders.is_empty()
        });
        self.pairs -= removed;
    }

    /// All that each node has, in one pass over the blobs.
    pub(super) fn lists(&self) -> BTreeMap<Slot, Vec<(Digest, Holding)>> {
        let mut lists: BTreeMap<Slot, Vec<(Digest, Holding)>> = BTreeMap::new();
        for (digest, holders) in &self.blobs {
            for holder in holders {
                lists.entry(holder.slot()).or_default().push((*digest, holder.holding()));
            }
        }
        lists
    }

    fn insert(&mut self, digest: &Digest, holder: Holder) -> Result<Option<Holding>, Full> {
        let blobs_are_full = self.blobs.len() >= MAX_BLOBS;
        let holders = match self.blobs.entry(*digest) {
            Entry::Vacant(_) if blobs_are_full || self.pairs >= MAX_HOLDINGS => return Err(Full),
            Entry::Vacant(vacant) => vacant.insert(Vec::new()),
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        match holders.binary_search_by_key(&holder.slot(), |other| other.slot()) {
            Ok(index) => Ok(Some(core::mem::replace(&mut holders[index], holder).holding())),
            Err(_) if self.pairs >= MAX_HOLDINGS => Err(Full),
            Err(index) => {
                holders.insert(index, holder);
                self.pairs += 1;
                Ok(None)
            }
        }
    }

    fn remove(&mut self, slot: Slot, digest: &Digest) -> Option<Holding> {
        let holders = self.blobs.get_mut(digest)?;
        let index = holders.binary_search_by_key(&slot, |holder| holder.slot()).ok()?;
        let before = holders.remove(index).holding();
        if holders.is_empty() {
            self.blobs.remove(digest);
        }
        self.pairs -= 1;
        Some(before)
    }
}
