//! How often nodes speak, by the size of the cluster.

use core::time::Duration;

use crate::{bounds::MAX_LIFETIME_MS, identity::NodeId};

/// How often a node announces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InventoryConfig {
    /// Longest time between two announcements in a small cluster.
    pub heartbeat: Duration,
    /// Silence after which a node counts as gone, in a small cluster.
    pub expiry: Duration,
    /// Least time between two announcements.
    pub batch_delay: Duration,
}

impl Default for InventoryConfig {
    /// Three heartbeats may be lost before a node is given up.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(3),
            expiry: Duration::from_secs(10),
            batch_delay: Duration::from_millis(100),
        }
    }
}

/// Each node adds that much to everyone's heartbeat: a cluster never sends more than 200 heartbeats a second, which
/// cost a node about 1 % of a core to verify.
const HEARTBEAT_PER_NODE: Duration = Duration::from_millis(5);
/// The same for announcements of changes, which come in bursts: 2000 a second at most.
const BATCH_DELAY_PER_NODE: Duration = Duration::from_micros(500);
/// Over that long the nodes spread their requests for a list that all of them miss, for each node in the cluster.
const FETCH_SPREAD_PER_NODE: Duration = Duration::from_millis(10);

impl InventoryConfig {
    /// Longest time between two announcements among `nodes`.
    pub(super) fn heartbeat_among(&self, nodes: u32) -> Duration {
        self.heartbeat.max(HEARTBEAT_PER_NODE * nodes)
    }

    /// Least time between two announcements among `nodes`.
    pub(super) fn batch_delay_among(&self, nodes: u32) -> Duration {
        self.batch_delay.max(BATCH_DELAY_PER_NODE * nodes)
    }

    /// Silence among `nodes` after which one counts as gone: as many heartbeats as in a small cluster.
    pub(super) fn lifetime_ms_among(&self, nodes: u32) -> u32 {
        let heartbeat_ms = self.heartbeat.as_millis().max(1);
        let stretched_ms = self.expiry.as_millis() * self.heartbeat_among(nodes).as_millis() / heartbeat_ms;
        u32::try_from(stretched_ms).unwrap_or(MAX_LIFETIME_MS).min(MAX_LIFETIME_MS)
    }
}

/// This node's part of the time over which `nodes` spread their requests for the list of `other`.
pub(super) fn fetch_spread(me: &NodeId, other: &NodeId, nodes: u32) -> Duration {
    part_of(FETCH_SPREAD_PER_NODE * nodes, scatter(me, first_word(other)))
}

/// A heartbeat shortened by up to a quarter, differently for each node and announcement, so that nodes that started
/// together do not speak together.
pub(super) fn jittered(heartbeat: Duration, me: &NodeId, seq: u64) -> Duration {
    heartbeat - part_of(heartbeat / 4, scatter(me, seq))
}

fn part_of(whole: Duration, fraction: u32) -> Duration {
    let micros = (u128::from(fraction) * whole.as_micros()) >> 32;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// A number that looks random and is the same each time (the mixer of SplitMix64).
fn scatter(node: &NodeId, salt: u64) -> u32 {
    let mut word = first_word(node).wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((word ^ (word >> 31)) >> 32).unwrap_or(0)
}

fn first_word(node: &NodeId) -> u64 {
    node.0.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}
