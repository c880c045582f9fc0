//! The nodes this one knows, where they can be reached, and when to try them again.
//!
//! It outlives the process, so a restarted node finds the swarm with no bootstrap node alive.

mod file;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use shoal_protocol::{bounds::MAX_ADDRESSES, identity::NodeId};

use super::{
    address::is_dialable,
    backoff::{Backoff, shuffle},
};

/// Most nodes remembered: a large cluster needs a sample of itself, not all of it.
const MAX_NODES: usize = 1024;
/// Pause before a node that did not answer is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The longest such pause for a node that has no connection at all.
const RETRY_ALONE: Duration = Duration::from_secs(30);

/// The table.
pub(super) struct PeerTable {
    me: NodeId,
    path: Option<PathBuf>,
    nodes: BTreeMap<NodeId, Known>,
    changed: bool,
}

/// The table as it was, to be written away from the swarm's task: a slow disk is no reason to fall silent.
pub(super) struct Save {
    path: PathBuf,
    records: Vec<file::Record>,
}

struct Known {
    addresses: Vec<SocketAddr>,
    last_seen_unix_s: u64,
    backoff: Backoff,
    try_at: Instant,
}

impl PeerTable {
    /// The table of node `me` as it was saved at `path`; what is unreadable there is left out and logged.
    pub(super) fn load(me: NodeId, path: Option<PathBuf>) -> Self {
        let mut table = Self { me, path, nodes: BTreeMap::new(), changed: false };
        let saved = table.path.as_deref().map(file::load).unwrap_or_default();
        for record in saved {
            table.learn(record.node, &record.addresses);
            if let Some(known) = table.nodes.get_mut(&record.node) {
                known.last_seen_unix_s = record.last_seen_unix_s;
            }
        }
        table.changed = false;
        table
    }

    /// Remembers that `node` says it can be reached at `addresses`; the newest word counts.
    pub(super) fn learn(&mut self, node: NodeId, addresses: &[SocketAddr]) {
        let mut usable: Vec<_> = addresses.iter().copied().filter(is_dialable).collect();
        usable.truncate(MAX_ADDRESSES);
        if node == self.me || usable.is_empty() {
            return;
        }
        let known = self.nodes.entry(node).or_insert_with(Known::new);
        if known.addresses != usable {
            known.addresses = usable;
            known.try_at = Instant::now();
            self.changed = true;
        }
        self.forget_beyond_bound();
    }

    /// `node` is connected; `dialled` is where it was reached, when this node opened the connection.
    pub(super) fn connected(&mut self, node: NodeId, dialled: Option<SocketAddr>) {
        if let Some(address) = dialled.filter(is_dialable) {
            let known = self.nodes.entry(node).or_insert_with(Known::new);
            known.addresses.retain(|&other| other != address);
            known.addresses.insert(0, address);
            known.addresses.truncate(MAX_ADDRESSES);
        }
        if let Some(known) = self.nodes.get_mut(&node) {
            known.last_seen_unix_s = unix_now_s();
            known.backoff.reset();
            known.try_at = Instant::now();
            self.changed = true;
        }
        self.forget_beyond_bound();
    }

    /// `node` could not be reached. A node that is `alone` has nothing better to do than to try again soon.
    pub(super) fn failed(&mut self, node: NodeId, alone: bool) {
        if let Some(known) = self.nodes.get_mut(&node) {
            let delay = known.backoff.next_delay();
            known.try_at = Instant::now() + if alone { delay.min(RETRY_ALONE) } else { delay };
        }
    }

    /// This node has lost its last connection: everyone is due at once.
    pub(super) fn handle_alone(&mut self) {
        for known in self.nodes.values_mut() {
            known.backoff.reset();
            known.try_at = Instant::now();
        }
    }

    /// Where `node` can be reached, as far as known.
    pub(super) fn addresses(&self, node: &NodeId) -> &[SocketAddr] {
        self.nodes.get(node).map_or(&[], |known| &known.addresses)
    }

    /// Up to `count` nodes, picked at random, that may be tried now and for which `wanted` holds.
    pub(super) fn due(&self, count: usize, wanted: impl Fn(&NodeId) -> bool) -> Vec<NodeId> {
        let now = Instant::now();
        let mut due: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(node, known)| known.try_at <= now && wanted(node))
            .map(|(node, _)| *node)
            .collect();
        shuffle(&mut due);
        due.truncate(count);
        due
    }

    /// What is to be written to disk, when the table changed since the last time and has a place.
    pub(super) fn take_save(&mut self) -> Option<Save> {
        let path = self.path.clone().filter(|_| self.changed)?;
        self.changed = false;
        let records = self.nodes.iter().map(|(node, known)| file::Record {
            node: *node,
            addresses: known.addresses.clone(),
            last_seen_unix_s: known.last_seen_unix_s,
        });
        Some(Save { path, records: records.collect() })
    }

    /// The node not seen for longest goes first.
    fn forget_beyond_bound(&mut self) {
        while self.nodes.len() > MAX_NODES {
            let oldest = self.nodes.iter().min_by_key(|(_, known)| known.last_seen_unix_s);
            let Some(node) = oldest.map(|(node, _)| *node) else { return };
            self.nodes.remove(&node);
            self.changed = true;
        }
    }
}

impl Save {
    /// Replaces the file in one step. Blocks on the disk.
    ///
    /// # Errors
    /// When the file can't be written; the one there is stays whole.
    pub(super) fn write(self) -> io::Result<()> {
        file::save(&self.path, self.records)
    }
}

impl Known {
    fn new() -> Self {
        Self {
            addresses: Vec::new(),
            last_seen_unix_s: 0,
            backoff: Backoff::new(RETRY.0, RETRY.1),
            try_at: Instant::now(),
        }
    }
}

fn unix_now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NodeId(bytes)
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn table(path: Option<PathBuf>) -> PeerTable {
        PeerTable::load(node(0), path)
    }

    #[test]
    fn what_is_saved_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers.json");
        let mut before = table(Some(path.clone()));
        before.learn(node(1), &[address(1), address(2)]);
        before.connected(node(2), Some(address(3)));
        before.take_save().unwrap().write().unwrap();
        assert!(before.take_save().is_none(), "nothing has changed since");
        let after = table(Some(path));
        assert_eq!(after.addresses(&node(1)), [address(1), address(2)]);
        assert_eq!(after.addresses(&node(2)), [address(3)]);
        assert!(after.nodes[&node(2)].last_seen_unix_s > 0);
    }

    #[test]
    fn garbage_in_the_file_costs_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers.json");
        let good = format!(r#"{{"node":"{}","addresses":["10.0.0.1:7"]}}"#, "01".repeat(32));
        let garbage = [
            r#"{"node":"zz","addresses":[]}"#.to_owned(),
            format!(r#"{{"node":"{}","addresses":["nonsense"]}}"#, "02".repeat(32)),
            format!(r#"{{"node":"{}é","addresses":[]}}"#, "0".repeat(62)),
            "17".to_owned(),
        ];
        std::fs::write(&path, format!(r#"{{"nodes":[{good},{}]}}"#, garbage.join(","))).unwrap();
        let loaded = table(Some(path.clone()));
        assert_eq!(loaded.nodes.len(), 1);
        assert_eq!(loaded.addresses(&NodeId([1; 32])), [address(7)]);
        for whole in ["", "{", "[]", "null", "\u{0}\u{1}"] {
            std::fs::write(&path, whole).unwrap();
            assert!(table(Some(path.clone())).nodes.is_empty(), "{whole:?}");
        }
    }

    #[test]
    fn the_table_never_outgrows_its_bound_and_keeps_whom_it_saw() {
        let mut table = table(None);
        table.connected(node(1), Some(address(1)));
        for number in 2..(MAX_NODES as u16 + 100) {
            table.learn(node(number), &[address(number)]);
        }
        assert_eq!(table.nodes.len(), MAX_NODES);
        assert_eq!(table.addresses(&node(1)), [address(1)]);
    }

    #[test]
    fn a_node_that_failed_waits_before_it_is_due_again() {
        let mut table = table(None);
        table.learn(node(1), &[address(1)]);
        assert_eq!(table.due(4, |_| true), [node(1)]);
        table.failed(node(1), false);
        assert!(table.due(4, |_| true).is_empty());
        table.handle_alone();
        assert_eq!(table.due(4, |_| true), [node(1)]);
    }

    #[test]
    fn this_node_and_useless_addresses_are_not_learned() {
        let mut table = table(None);
        table.learn(node(0), &[address(1)]);
        table.learn(node(1), &["0.0.0.0:5021".parse().unwrap(), "10.0.0.1:0".parse().unwrap()]);
        assert!(table.nodes.is_empty());
    }
}
