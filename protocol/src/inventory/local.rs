//! What this node has, and what of that it has said.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    pace::{InventoryConfig, jittered},
    tally::Tally,
};
use crate::{
    bounds::{MAX_BLOBS_PER_NODE, MAX_CHANGES_LISTED},
    digest::Digest,
    time::Timestamp,
    wire::{Announcement, Change, Holding, InventoryList, NodeRecord},
};

/// One announcement in so many carries the node's record, for those who missed the first.
const RECORD_EVERY: u64 = 4;

/// This node's side of the inventory.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) record: NodeRecord,
    config: InventoryConfig,
    seq: u64,
    announced: BTreeMap<Digest, Holding>,
    /// Changes not yet announced. None of them says what was announced already.
    pending: BTreeMap<Digest, Option<Holding>>,
    /// Blobs that pending changes add to the announced ones.
    additions: usize,
    tally: Tally,
    next_heartbeat_at: Timestamp,
    next_change_at: Timestamp,
    left: bool,
}

impl Local {
    pub(super) fn new(record: NodeRecord, config: InventoryConfig, now: Timestamp) -> Self {
        Self {
            record,
            config,
            seq: 0,
            announced: BTreeMap::new(),
            pending: BTreeMap::new(),
            additions: 0,
            tally: Tally::default(),
            next_heartbeat_at: now,
            next_change_at: now,
            left: false,
        }
    }

    /// Notes a change to announce; false when there is no room to announce one more blob.
    pub(super) fn set(&mut self, digest: Digest, holding: Option<Holding>) -> bool {
        let announced = self.announced.get(&digest).copied();
        let is_addition = announced.is_none() && holding.is_some();
        let was_addition = announced.is_none() && self.pending.contains_key(&digest);
        if is_addition && !was_addition && self.announced.len() + self.additions >= MAX_BLOBS_PER_NODE {
            return false;
        }
        self.additions = self.additions + usize::from(is_addition) - usize::from(was_addition);
        if announced == holding {
            self.pending.remove(&digest);
        } else {
            self.pending.insert(digest, holding);
        }
        true
    }

    /// When [`Self::poll`] has something to say.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        if self.left {
            return None;
        }
        let change_at = (!self.pending.is_empty()).then_some(self.next_change_at);
        Some(change_at.map_or(self.next_heartbeat_at, |at| at.min(self.next_heartbeat_at)))
    }

    /// The next announcement among `nodes`, once it is due.
    pub(super) fn poll(&mut self, now: Timestamp, nodes: u32) -> Option<Announcement> {
        if self.due_at().is_none_or(|due_at| now < due_at) {
            return None;
        }
        let changes = self.take_changes();
        let announcement = self.announce(changes, nodes);
        let heartbeat = self.config.heartbeat_among(nodes);
        self.next_heartbeat_at = now + jittered(heartbeat, &self.record.node, self.seq);
        self.next_change_at = now + self.config.batch_delay_among(nodes);
        Some(announcement)
    }

    /// The last announcement.
    pub(super) fn leave(&mut self) -> Announcement {
        self.left = true;
        let goodbye = self.announce(Vec::new(), 1);
        Announcement { leaving: true, ..goodbye }
    }

    /// What was announced so far.
    pub(super) fn list(&self, nodes: u32) -> InventoryList {
        InventoryList {
            record: self.record.clone(),
            seq: self.seq,
            lifetime_ms: self.config.lifetime_ms_among(nodes),
            holdings: self.announced.iter().map(|(digest, holding)| (*digest, *holding)).collect(),
        }
    }

    fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < MAX_CHANGES_LISTED
            && let Some((digest, holding)) = self.pending.pop_first()
        {
            let before = match holding {
                Some(holding) => self.announced.insert(digest, holding),
                None => self.announced.remove(&digest),
            };
            self.additions -= usize::from(before.is_none());
            self.tally.change(&digest, before, holding);
            changes.push(Change { digest, holding });
        }
        changes
    }

    fn announce(&mut self, changes: Vec<Change>, nodes: u32) -> Announcement {
        self.seq += 1;
        Announcement {
            node: self.record.node,
            incarnation: self.record.incarnation,
            seq: self.seq,
            lifetime_ms: self.config.lifetime_ms_among(nodes),
            record: (self.seq % RECORD_EVERY == 1).then(|| self.record.clone()),
            changes,
            total: self.tally.total,
            set_hash: self.tally.set_hash,
            leaving: false,
        }
    }
}
