//! A cluster under a virtual clock, on a network that loses, delays, reorders and repeats.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use shoal_protocol::{
    digest::Digest,
    identity::NodeId,
    inventory::Inventory,
    time::Timestamp,
    wire::{Announcement, Answer, Holding, Wire},
};

use crate::node::{blob, id, started};

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) nodes: Vec<Inventory>,
    /// What each node really has.
    pub(crate) truth: Vec<BTreeMap<Digest, Holding>>,
    pub(crate) network: Network,
    pub(crate) fetches: usize,
    ids: Vec<NodeId>,
    incarnations: Vec<u64>,
    in_flight: Vec<(Timestamp, usize, Vec<u8>)>,
    rng: Rng,
}

/// How badly the network treats gossip, in parts of a hundred, and how often a list can't be fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) lost: u32,
    pub(crate) repeated: u32,
    pub(crate) longest_delay_ms: u64,
    pub(crate) fetch_fails: u32,
}

impl Network {
    pub(crate) const GOOD: Self = Self { lost: 0, repeated: 0, longest_delay_ms: 20, fetch_fails: 0 };
    pub(crate) const BAD: Self = Self { lost: 40, repeated: 30, longest_delay_ms: 2000, fetch_fails: 50 };
}

impl World {
    pub(crate) fn new(count: u8, network: Network, seed: u64) -> Self {
        Self {
            now: Timestamp::ZERO,
            nodes: (0..count).map(|number| started(number, 1, Timestamp::ZERO)).collect(),
            truth: vec![BTreeMap::new(); usize::from(count)],
            network,
            fetches: 0,
            ids: (0..count).map(id).collect(),
            incarnations: vec![1; usize::from(count)],
            in_flight: Vec::new(),
            rng: Rng::with_seed(seed),
        }
    }

    pub(crate) fn set(&mut self, node: usize, number: u8, holding: Option<Holding>) {
        assert!(self.nodes[node].set_local(blob(number), holding));
        match holding {
            Some(holding) => self.truth[node].insert(blob(number), holding),
            None => self.truth[node].remove(&blob(number)),
        };
    }

    /// The node comes back with what it holds, having lost what it was fetching.
    pub(crate) fn restart(&mut self, node: usize) {
        self.incarnations[node] += 1;
        let number = u8::try_from(node).unwrap();
        self.nodes[node] = started(number, self.incarnations[node], self.now);
        self.truth[node].retain(|_, holding| *holding == Holding::Holds);
        for digest in self.truth[node].keys() {
            self.nodes[node].set_local(*digest, Some(Holding::Holds));
        }
    }

    /// `node` connects to `other` and takes its snapshot.
    pub(crate) fn connect(&mut self, node: usize, other: usize) {
        let bytes = encoded(&Answer::Snapshot(self.nodes[other].snapshot(self.now)));
        if let Ok(Answer::Snapshot(entries)) = Answer::decode(&bytes) {
            self.nodes[node].handle_snapshot(self.now, entries).unwrap();
        }
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.work();
            self.now = self.next_event().min(end);
        }
    }

    /// Panics unless everyone knows everyone and what they have.
    pub(crate) fn check_converged(&self) {
        for (viewer, inventory) in self.nodes.iter().enumerate() {
            assert_eq!(inventory.len_nodes(), self.nodes.len(), "live nodes, seen by {viewer}");
            for number in 0..=u8::MAX {
                let mut expected: Vec<_> = self.holders_in_truth(viewer, number);
                let mut seen: Vec<_> = inventory.holders(&blob(number)).collect();
                expected.sort();
                seen.sort();
                assert_eq!(seen, expected, "holders of blob {number}, seen by {viewer}");
            }
        }
    }

    fn holders_in_truth(&self, viewer: usize, blob_number: u8) -> Vec<(NodeId, Holding)> {
        (0..self.nodes.len())
            .filter(|node| *node != viewer)
            .filter_map(|node| Some((self.ids[node], *self.truth[node].get(&blob(blob_number))?)))
            .collect()
    }

    fn next_event(&self) -> Timestamp {
        let deliveries = self.in_flight.iter().map(|(at, ..)| *at);
        let timers = self.nodes.iter().filter_map(Inventory::poll_timeout);
        let soonest = self.now + Duration::from_micros(1);
        deliveries.chain(timers).min().unwrap_or(soonest).max(soonest)
    }

    fn work(&mut self) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|(at, ..)| *at <= self.now);
        self.in_flight = later;
        for (_, to, bytes) in due {
            let announcement = Announcement::decode(&bytes).unwrap();
            // A message from before a restart is refused, as it should be.
            let _ = self.nodes[to].handle_announcement(self.now, &announcement);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].handle_expiry(self.now);
            while let Some(announcement) = self.nodes[node].poll_announcement(self.now) {
                self.gossip(node, &announcement);
            }
            while let Some(stale) = self.nodes[node].poll_stale(self.now) {
                self.fetch(node, stale);
            }
        }
    }

    /// Sends `announcement` to everyone, as well as the network does.
    pub(crate) fn gossip(&mut self, from: usize, announcement: &Announcement) {
        let bytes = encoded(announcement);
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let copies = 1 + u32::from(self.chance(self.network.repeated));
            for _ in 0..copies {
                let delay = Duration::from_millis(self.rng.u64(1..=self.network.longest_delay_ms));
                if !self.chance(self.network.lost) {
                    self.in_flight.push((self.now + delay, to, bytes.clone()));
                }
            }
        }
    }

    fn fetch(&mut self, node: usize, stale: NodeId) {
        self.fetches += 1;
        let Some(other) = (0..self.nodes.len()).find(|other| self.ids[*other] == stale) else { return };
        if !self.chance(self.network.fetch_fails) {
            let list = self.nodes[other].own_list();
            self.nodes[node].handle_inventory(self.now, stale, &list).unwrap();
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }
}

fn encoded(value: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}
