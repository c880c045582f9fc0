//! Whose list to fetch because what is known of it has a gap.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::{bounds::MAX_NODES, identity::NodeId, time::Timestamp};

/// Least time between two fetches: healing a partition must not take the link from pulls.
const FETCH_INTERVAL: Duration = Duration::from_millis(20);
/// Wait before a fetch is tried again; it doubles each time.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// After so many fetches without an answer a node is left alone until it shows the gap again.
const MAX_ATTEMPTS: u32 = 5;

/// The fetches to do, each with its time.
#[derive(Debug, Default)]
pub(super) struct Repair {
    fetches: BTreeMap<NodeId, Fetch>,
    by_time: BTreeSet<(Timestamp, NodeId)>,
    next_fetch_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Fetch {
    due_at: Timestamp,
    attempts: u32,
}

impl Repair {
    /// Asks for the list of `node` at `due_at`, unless that is planned already.
    pub(super) fn plan(&mut self, node: NodeId, due_at: Timestamp) {
        if self.fetches.len() < MAX_NODES && !self.is_planned(&node) {
            self.schedule(node, Fetch { due_at, attempts: 0 });
        }
    }

    /// True while the list of `node` is to be fetched.
    pub(super) fn is_planned(&self, node: &NodeId) -> bool {
        self.fetches.contains_key(node)
    }

    /// The gap is closed, or the node gone.
    pub(super) fn cancel(&mut self, node: &NodeId) {
        if let Some(fetch) = self.fetches.remove(node) {
            self.by_time.remove(&(fetch.due_at, *node));
        }
    }

    /// When [`Self::poll`] has something to do.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due_at, _)| (*due_at).max(self.next_fetch_at))
    }

    /// A node whose list to fetch now.
    pub(super) fn poll(&mut self, now: Timestamp) -> Option<NodeId> {
        if self.due_at().is_none_or(|due_at| now < due_at) {
            return None;
        }
        let (_, node) = self.by_time.pop_first()?;
        let attempts = self.fetches.remove(&node)?.attempts + 1;
        if attempts < MAX_ATTEMPTS {
            self.schedule(node, Fetch { due_at: now + RETRY_DELAY * 2u32.pow(attempts - 1), attempts });
        }
        self.next_fetch_at = now + FETCH_INTERVAL;
        Some(node)
    }

    fn schedule(&mut self, node: NodeId, fetch: Fetch) {
        self.fetches.insert(node, fetch);
        self.by_time.insert((fetch.due_at, node));
    }
}
