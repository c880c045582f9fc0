//! Changes to what is known of one node, and what is planned to mend it.

use core::{ops::RangeInclusive, time::Duration};

use super::{
    Inventory, InventoryError,
    nodes::{FORGET_AFTER, Node, Presence, Slot, Source},
    pace::fetch_spread,
    tally::Tally,
};
use crate::{
    bounds::{MAX_BLOBS_PER_NODE, MAX_EARLY, MAX_EARLY_PER_NODE, MAX_LIFETIME_MS},
    digest::Digest,
    identity::NodeId,
    membership::{ClusterKey, Role},
    time::Timestamp,
    wire::{Announcement, Holding, NodeRecord},
};

/// Gossip delivers out of order and repairs its own losses; a list is fetched only when a gap outlasts that.
pub(super) const GAP_GRACE: Duration = Duration::from_secs(3);

/// Orders early announcements by node, incarnation and sequence number.
pub(super) type EarlyKey = (NodeId, u64, u64);

pub(super) const fn early_key(said: &Announcement) -> EarlyKey {
    (said.node, said.incarnation, said.seq)
}

const fn all_of(id: &NodeId) -> RangeInclusive<EarlyKey> {
    (*id, 0, 0)..=(*id, u64::MAX, u64::MAX)
}

/// The role that `record` proves.
pub(super) fn verify_record(
    cluster: &ClusterKey,
    record: &NodeRecord,
) -> Result<Option<Role>, InventoryError> {
    if !record.verify() {
        return Err(InventoryError::BadRecord(record.node));
    }
    let Some(token) = &record.role else { return Ok(None) };
    cluster.verify_role(&record.node, token).map(Some).ok_or(InventoryError::BadRole(record.node))
}

impl Inventory {
    /// The slot of `id` when this incarnation of it is known.
    pub(super) fn known(&self, id: &NodeId, incarnation: u64) -> Result<Option<Slot>, InventoryError> {
        let Some(node) = self.nodes.by_id(id) else { return Ok(None) };
        let known = node.record.incarnation;
        if incarnation < known {
            return Err(InventoryError::StaleIncarnation { node: *id, known, found: incarnation });
        }
        Ok(if incarnation == known { self.nodes.slot(id) } else { None })
    }

    /// Makes room for a node, or for a new incarnation of one, that has announced nothing yet.
    pub(super) fn introduce(&mut self, record: &NodeRecord) -> Result<Slot, InventoryError> {
        let role = verify_record(&self.cluster, record)?;
        if let Some(slot) = self.nodes.slot(&record.node).or_else(|| self.nodes.to_evict()) {
            self.remove(slot);
        }
        let node = Node {
            record: record.clone(),
            role,
            presence: Presence::Expired,
            lifetime_ms: 0,
            deadline: Timestamp::ZERO,
            source: Source::Itself,
            seq: 0,
            tally: Tally::default(),
        };
        self.nodes.insert(node).ok_or(InventoryError::TooManyNodes(record.node))
    }

    /// The node is there, last heard `silent_ms` ago.
    pub(super) fn hear(&mut self, slot: Slot, now: Timestamp, lifetime_ms: u32, silent_ms: u32) {
        let Some(node) = self.nodes.get_mut(slot) else { return };
        node.lifetime_ms = lifetime_ms.min(MAX_LIFETIME_MS);
        let left_ms = node.lifetime_ms.saturating_sub(silent_ms);
        self.set_deadline(slot, now + Duration::from_millis(left_ms.into()));
        self.nodes.set_presence(slot, Presence::Live);
    }

    /// The node said goodbye.
    pub(super) fn depart(&mut self, slot: Slot, now: Timestamp, seq: u64) {
        self.clear_blobs(slot);
        let Some(node) = self.nodes.get_mut(slot) else { return };
        let id = node.record.node;
        (node.source, node.seq) = (Source::Itself, seq);
        self.set_deadline(slot, now + FORGET_AFTER);
        self.nodes.set_presence(slot, Presence::Left);
        self.forget_gaps(&id);
    }

    /// The node's deadline passed: an awaited node is given up, one given up before is forgotten.
    pub(super) fn expire(&mut self, slot: Slot, now: Timestamp) {
        let Some(node) = self.nodes.get(slot) else { return };
        let id = node.record.node;
        if node.presence.is_awaited() {
            self.set_deadline(slot, now + FORGET_AFTER);
            self.nodes.set_presence(slot, Presence::Expired);
            self.forget_gaps(&id);
        } else {
            self.remove(slot);
        }
    }

    /// Makes `changes` to the node's blobs; without room for them, all of its blobs are dropped.
    pub(super) fn apply(
        &mut self,
        slot: Slot,
        seq: u64,
        changes: impl Iterator<Item = (Digest, Option<Holding>)>,
        source: Source,
    ) -> Result<(), InventoryError> {
        let Some(node) = self.nodes.get_mut(slot) else { return Ok(()) };
        let mut is_full = false;
        for (digest, after) in changes {
            match self.holders.set(slot, &digest, after) {
                Ok(before) => node.tally.change(&digest, before, after),
                Err(_) => is_full = true,
            }
        }
        if is_full || node.tally.total as usize > MAX_BLOBS_PER_NODE {
            let id = node.record.node;
            self.disown(slot);
            return Err(InventoryError::TooManyBlobs(id));
        }
        (node.source, node.seq) = (source, seq);
        Ok(())
    }

    /// Puts a whole list in the place of what was known.
    pub(super) fn replace(
        &mut self,
        slot: Slot,
        seq: u64,
        holdings: &[(Digest, Holding)],
        source: Source,
    ) -> Result<(), InventoryError> {
        self.clear_blobs(slot);
        let changes = holdings.iter().map(|(digest, holding)| (*digest, Some(*holding)));
        self.apply(slot, seq, changes, source)
    }

    /// Drops what was known of the node's blobs.
    pub(super) fn disown(&mut self, slot: Slot) {
        self.clear_blobs(slot);
        if let Some(node) = self.nodes.get_mut(slot) {
            (node.source, node.seq) = (Source::Nothing, 0);
        }
    }

    /// Asks the node for its list: soon when nothing is known, else when the gap outlasts what gossip mends itself.
    pub(super) fn plan_for_gap(&mut self, slot: Slot, now: Timestamp) {
        let Some(node) = self.nodes.get(slot) else { return };
        let grace = if node.source == Source::Nothing { Duration::ZERO } else { GAP_GRACE };
        self.plan_fetch(node.record.node, now + grace);
    }

    /// Asks for the list of `id` after `at`: not exactly then, for others may miss the same.
    pub(super) fn plan_fetch(&mut self, id: NodeId, at: Timestamp) {
        let spread = fetch_spread(&self.local.record.node, &id, self.nodes.live() + 1);
        self.repair.plan(id, at + spread);
    }

    /// Keeps an announcement until those before it come. Of too many, the last are kept: a list fetched to close the
    /// gap covers the first.
    pub(super) fn keep_early(&mut self, said: &Announcement) {
        if self.early.range(all_of(&said.node)).count() >= MAX_EARLY_PER_NODE
            && let Some((key, _)) = self.first_early(&said.node)
        {
            self.early.remove(&key);
        }
        if self.early.len() < MAX_EARLY {
            self.early.insert(early_key(said), said.clone());
        }
    }

    pub(super) fn first_early(&self, id: &NodeId) -> Option<(EarlyKey, Announcement)> {
        let (key, said) = self.early.range(all_of(id)).next()?;
        Some((*key, said.clone()))
    }

    fn remove(&mut self, slot: Slot) {
        self.clear_blobs(slot);
        if let Some(node) = self.nodes.remove(slot) {
            self.forget_gaps(&node.record.node);
        }
    }

    fn forget_gaps(&mut self, id: &NodeId) {
        self.repair.cancel(id);
        while let Some((key, _)) = self.first_early(id) {
            self.early.remove(&key);
        }
    }

    /// Finding a node's blobs means a pass over all blobs, so it is skipped for a node without any.
    fn clear_blobs(&mut self, slot: Slot) {
        if let Some(node) = self.nodes.get_mut(slot)
            && core::mem::take(&mut node.tally) != Tally::default()
        {
            self.holders.remove_all(slot);
        }
    }

    fn set_deadline(&mut self, slot: Slot, deadline: Timestamp) {
        if let Some(node) = self.nodes.get_mut(slot) {
            node.deadline = deadline;
            self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
        }
    }
}
