//! The other nodes, each in a numbered slot so that the index of holders can name it in four bytes.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::tally::Tally;
use crate::{bounds::MAX_NODES, identity::NodeId, membership::Role, time::Timestamp, wire::NodeRecord};

/// A dead node is remembered that long, so that a late snapshot can't bring it back, and so that its list is still
/// there when only the link to it was down.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);

/// Most nodes beside this one: a snapshot has an entry for this one too.
const MAX_OTHERS: usize = MAX_NODES - 1;

/// The number of a node in this inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u32);

/// What is known of another node, but for its blobs, which are in the index of holders.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) record: NodeRecord,
    pub(super) role: Option<Role>,
    pub(super) presence: Presence,
    pub(super) lifetime_ms: u32,
    /// When silence turns into absence, and absence into oblivion.
    pub(super) deadline: Timestamp,
    pub(super) source: Source,
    /// Its last announcement that is in what we know.
    pub(super) seq: u64,
    pub(super) tally: Tally,
}

/// Whether a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Heard of within its lifetime.
    Live,
    /// The connection to it broke and it has not been heard since.
    Suspect,
    /// Silent for longer than its lifetime.
    Expired,
    /// It said goodbye.
    Left,
}

/// How we know which blobs a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It said so.
    Itself,
    /// Another node said so.
    Hearsay,
    /// We don't.
    Nothing,
}

/// The table of nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    slots: Vec<Option<Node>>,
    free: Vec<Slot>,
    by_id: BTreeMap<NodeId, Slot>,
    live: u32,
}

impl Presence {
    /// True until the node is given up.
    pub(super) const fn is_awaited(self) -> bool {
        matches!(self, Self::Live | Self::Suspect)
    }
}

impl Nodes {
    /// Number of live nodes.
    pub(super) const fn live(&self) -> u32 {
        self.live
    }

    pub(super) fn slot(&self, id: &NodeId) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Node> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Node> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    pub(super) fn by_id(&self, id: &NodeId) -> Option<&Node> {
        self.slot(id).and_then(|slot| self.get(slot))
    }

    /// All nodes in order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Node)> {
        self.by_id.values().filter_map(|slot| Some((*slot, self.get(*slot)?)))
    }

    /// Puts an absent node, of which there is no other incarnation, into a slot; `None` when all are taken.
    pub(super) fn insert(&mut self, node: Node) -> Option<Slot> {
        let slot = self.free_slot()?;
        self.by_id.insert(node.record.node, slot);
        *self.slots.get_mut(slot.0 as usize)? = Some(node);
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Node> {
        let node = self.slots.get_mut(slot.0 as usize)?.take()?;
        self.live -= u32::from(node.presence == Presence::Live);
        self.by_id.remove(&node.record.node);
        self.free.push(slot);
        Some(node)
    }

    pub(super) fn set_presence(&mut self, slot: Slot, presence: Presence) {
        if let Some(node) = self.slots.get_mut(slot.0 as usize).and_then(Option::as_mut) {
            self.live += u32::from(presence == Presence::Live);
            self.live -= u32::from(node.presence == Presence::Live);
            node.presence = presence;
        }
    }

    /// The absent node that has been absent longest, when there is no slot left for another.
    pub(super) fn to_evict(&self) -> Option<Slot> {
        if self.by_id.len() < MAX_OTHERS {
            return None;
        }
        let absent = self.iter().filter(|(_, node)| !node.presence.is_awaited());
        absent.min_by_key(|(_, node)| node.deadline).map(|(slot, _)| slot)
    }

    fn free_slot(&mut self) -> Option<Slot> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = u32::try_from(self.slots.len()).ok().filter(|slot| (*slot as usize) < MAX_OTHERS)?;
        self.slots.push(None);
        Some(Slot(slot))
    }
}
