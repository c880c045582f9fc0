//! Takes in what other nodes say.

use super::{
    Inventory, InventoryError,
    known::{GAP_GRACE, early_key},
    nodes::{Node, Presence, Slot, Source},
    tally::Tally,
};
use crate::{
    identity::NodeId,
    time::Timestamp,
    wire::{Announcement, InventoryList, SnapshotEntry},
};

impl Inventory {
    /// Takes in what a node gossiped. The caller has checked that `announcement.node` is the author of the message.
    ///
    /// # Errors
    /// When it is not believed. Duplicates, late and early announcements are not errors.
    pub fn handle_announcement(
        &mut self,
        now: Timestamp,
        announcement: &Announcement,
    ) -> Result<(), InventoryError> {
        if announcement.node == self.local.record.node {
            return Ok(());
        }
        let Some(slot) = self.speaker(now, announcement)? else { return Ok(()) };
        if self.is_repeated(slot, announcement) {
            return Ok(());
        }
        if announcement.leaving {
            self.depart(slot, now, announcement.seq);
            return Ok(());
        }
        self.hear(slot, now, announcement.lifetime_ms, 0);
        self.order(slot, now, announcement)
    }

    /// Takes in what another node knows, of nodes not known yet. It holds until they speak for themselves.
    ///
    /// # Errors
    /// The first entry's that is not believed; the others are taken in all the same.
    pub fn handle_snapshot(
        &mut self,
        now: Timestamp,
        entries: impl IntoIterator<Item = SnapshotEntry>,
    ) -> Result<(), InventoryError> {
        let mut result = Ok(());
        for entry in entries {
            result = result.and(self.handle_entry(now, &entry));
        }
        result
    }

    /// Takes in the whole list of the node `from`, as it gave it itself.
    ///
    /// # Errors
    /// When it is not believed.
    pub fn handle_inventory(
        &mut self,
        now: Timestamp,
        from: NodeId,
        list: &InventoryList,
    ) -> Result<(), InventoryError> {
        if list.record.node != from || from == self.local.record.node {
            return Err(InventoryError::BadRecord(from));
        }
        let slot = match self.known(&from, list.record.incarnation)? {
            Some(slot) => slot,
            None => self.introduce(&list.record)?,
        };
        let Some(node) = self.nodes.get(slot) else { return Ok(()) };
        let is_older = list.seq < node.seq && node.source != Source::Hearsay;
        if is_older || node.presence == Presence::Left {
            return Ok(());
        }
        self.hear(slot, now, list.lifetime_ms, 0);
        self.replace(slot, list.seq, &list.holdings, Source::Itself)?;
        self.catch_up(slot, now)
    }

    fn handle_entry(&mut self, now: Timestamp, entry: &SnapshotEntry) -> Result<(), InventoryError> {
        let id = entry.record.node;
        let is_old = self.node(&id).is_some_and(|known| known.incarnation >= entry.record.incarnation);
        if is_old || id == self.local.record.node || entry.silent_ms >= entry.lifetime_ms {
            return Ok(());
        }
        let slot = self.introduce(&entry.record)?;
        self.hear(slot, now, entry.lifetime_ms, entry.silent_ms);
        match &entry.holdings {
            Some(holdings) => self.replace(slot, entry.seq, holdings, Source::Hearsay),
            None => {
                self.disown(slot);
                self.plan_fetch(id, now);
                Ok(())
            }
        }
    }

    /// The slot of the node that speaks; `None` when it has not introduced itself yet.
    fn speaker(&mut self, now: Timestamp, said: &Announcement) -> Result<Option<Slot>, InventoryError> {
        if let Some(slot) = self.known(&said.node, said.incarnation)? {
            return Ok(Some(slot));
        }
        let Some(record) = &said.record else {
            if !said.leaving {
                self.keep_early(said);
                self.plan_fetch(said.node, now + GAP_GRACE);
            }
            return Ok(None);
        };
        if record.node != said.node || record.incarnation != said.incarnation {
            return Err(InventoryError::BadRecord(said.node));
        }
        self.introduce(record).map(Some)
    }

    fn is_repeated(&self, slot: Slot, said: &Announcement) -> bool {
        let is_past = |node: &Node| node.source != Source::Hearsay && said.seq <= node.seq;
        self.nodes.get(slot).is_none_or(is_past) || self.early.contains_key(&early_key(said))
    }

    /// Takes in what follows on what is known, and keeps what comes too early.
    fn order(&mut self, slot: Slot, now: Timestamp, said: &Announcement) -> Result<(), InventoryError> {
        if self.advance(slot, said)? {
            return self.catch_up(slot, now);
        }
        if self.nodes.get(slot).is_some_and(|node| said.seq > node.seq) {
            self.keep_early(said);
        }
        self.plan_for_gap(slot, now);
        Ok(())
    }

    /// Takes in the early announcements whose turn has come. A gap that is still left then is a new one.
    fn catch_up(&mut self, slot: Slot, now: Timestamp) -> Result<(), InventoryError> {
        let Some(record) = self.nodes.get(slot).map(|node| &node.record) else { return Ok(()) };
        let (id, incarnation) = (record.node, record.incarnation);
        self.repair.cancel(&id);
        while let Some((key, said)) = self.first_early(&id) {
            let is_past = said.incarnation != incarnation
                || self.nodes.get(slot).is_some_and(|node| said.seq <= node.seq);
            if !is_past && !self.advance(slot, &said)? {
                self.plan_for_gap(slot, now);
                break;
            }
            self.early.remove(&key);
        }
        Ok(())
    }

    /// Applies `said` when what is known then is what the node says it has: nothing that matters was missed, whatever
    /// the sequence numbers. When nothing was missed and yet they differ, what was known is wrong and is dropped.
    fn advance(&mut self, slot: Slot, said: &Announcement) -> Result<bool, InventoryError> {
        let Some(node) = self.nodes.get(slot) else { return Ok(false) };
        let mut tally = node.tally;
        for change in &said.changes {
            tally.change(&change.digest, self.holders.get(slot, &change.digest), change.holding);
        }
        if tally == (Tally { total: said.total, set_hash: said.set_hash }) {
            let changes = said.changes.iter().map(|change| (change.digest, change.holding));
            self.apply(slot, said.seq, changes, Source::Itself)?;
            return Ok(true);
        }
        if node.source != Source::Nothing && node.seq.checked_add(1) == Some(said.seq) {
            self.disown(slot);
        }
        Ok(false)
    }
}
