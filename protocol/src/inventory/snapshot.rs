//! What this node knows of everyone, for a node that has just connected.

use alloc::vec::Vec;

use super::{
    Inventory,
    nodes::{Node, Presence, Source},
};
use crate::{
    bounds::MAX_ANSWER_FRAME_BYTES,
    digest::Digest,
    time::Timestamp,
    wire::{Holding, SnapshotEntry, Wire},
};

/// Left free in the answer's frame for its tag and count.
const FRAME_HEAD_BYTES: usize = 16;

impl Inventory {
    /// An entry for this node and for each live one, in order of their ids, to fit into one answer. Where all lists
    /// of blobs don't fit, some are left out and the asker fetches them from the nodes themselves.
    pub fn snapshot(&self, now: Timestamp) -> Vec<SnapshotEntry> {
        let mut lists = self.holders.lists();
        let mut entries = Vec::with_capacity(self.len_nodes());
        let mut full_lists = Vec::with_capacity(self.len_nodes());
        for (slot, node) in self.nodes.iter().filter(|(_, node)| node.presence == Presence::Live) {
            entries.push(entry_without_list(node, now));
            let list = lists.remove(&slot).unwrap_or_default();
            full_lists.push((node.source != Source::Nothing).then_some(list));
        }
        let own = self.own_list();
        let index = entries.partition_point(|entry| entry.record.node < own.record.node);
        full_lists.insert(index, Some(own.holdings));
        let (record, seq, lifetime_ms) = (own.record, own.seq, own.lifetime_ms);
        entries.insert(index, SnapshotEntry { record, seq, silent_ms: 0, lifetime_ms, holdings: None });
        fill_in(&mut entries, full_lists);
        entries
    }
}

fn entry_without_list(node: &Node, now: Timestamp) -> SnapshotEntry {
    let left_ms = u32::try_from(node.deadline.since(now).as_millis()).unwrap_or(u32::MAX);
    SnapshotEntry {
        record: node.record.clone(),
        seq: node.seq,
        silent_ms: node.lifetime_ms.saturating_sub(left_ms),
        lifetime_ms: node.lifetime_ms,
        holdings: None,
    }
}

/// Adds lists to entries for as long as the answer has room.
fn fill_in(entries: &mut [SnapshotEntry], lists: Vec<Option<Vec<(Digest, Holding)>>>) {
    let mut head = Vec::new();
    let heads_bytes: usize = entries
        .iter()
        .map(|entry| {
            head.clear();
            entry.encode(&mut head);
            head.len() + size_of::<u32>()
        })
        .sum();
    let mut left_bytes = MAX_ANSWER_FRAME_BYTES.saturating_sub(FRAME_HEAD_BYTES + heads_bytes);
    for (entry, list) in entries.iter_mut().zip(lists) {
        let list_bytes = list.as_deref().map_or(0, list_len_bytes);
        if list_bytes <= left_bytes {
            left_bytes -= list_bytes;
            entry.holdings = list;
        }
    }
}

fn list_len_bytes(list: &[(Digest, Holding)]) -> usize {
    list.iter().map(|(digest, _)| digest.hash().len() + 2).sum()
}
