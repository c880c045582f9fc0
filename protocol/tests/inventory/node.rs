//! One node and what it would say, made by hand.

use std::time::Duration;

use shoal_protocol::{
    digest::{Algorithm, Digest},
    identity::{NodeId, NodeKey, Signature},
    inventory::{Inventory, InventoryConfig},
    membership::{ClusterKey, Role},
    time::Timestamp,
    wire::{Announcement, Change, Holding, NodeRecord},
};

pub(crate) fn cluster() -> ClusterKey {
    ClusterKey::from_root([9; 32])
}

pub(crate) fn key(number: u8) -> NodeKey {
    NodeKey::from_secret([number; 32])
}

pub(crate) fn id(number: u8) -> NodeId {
    key(number).node_id()
}

pub(crate) fn blob(number: u8) -> Digest {
    Digest::of(Algorithm::Sha256, &[number])
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

pub(crate) fn record(number: u8, incarnation: u64, role: Option<Role>) -> NodeRecord {
    record_of(&key(number), incarnation, role)
}

fn record_of(key: &NodeKey, incarnation: u64, role: Option<Role>) -> NodeRecord {
    let mut record = NodeRecord {
        node: key.node_id(),
        incarnation,
        role: role.map(|role| cluster().issue_role(&key.node_id(), role).unwrap()),
        zone: "a".into(),
        swarm_addresses: vec!["127.0.0.1:5021".parse().unwrap()],
        lane_addresses: vec!["127.0.0.1:5022".parse().unwrap()],
        signature: Signature([0; 64]),
    };
    record.sign(key);
    record
}

/// A node that has just started, at `now`.
pub(crate) fn started(number: u8, incarnation: u64, now: Timestamp) -> Inventory {
    Inventory::new(record(number, incarnation, None), cluster(), InventoryConfig::default(), now).unwrap()
}

/// An announcement of node `number`, incarnation 1, that says it holds `total` when `gained` are counted.
pub(crate) fn says(number: u8, seq: u64, gained: &[u8], total: &[u8]) -> Announcement {
    let mut gained: Vec<_> = gained.iter().map(|number| blob(*number)).collect();
    gained.sort();
    Announcement {
        node: id(number),
        incarnation: 1,
        seq,
        lifetime_ms: 10_000,
        record: Some(record(number, 1, None)),
        changes: gained.into_iter().map(|digest| Change { digest, holding: Some(Holding::Holds) }).collect(),
        total: u32::try_from(total.len()).unwrap(),
        set_hash: total.iter().fold(0, |hash, number| hash ^ Holding::Holds.fingerprint(&blob(*number))),
        leaving: false,
    }
}

/// The first words of one of many nodes.
pub(crate) fn one_of_many(number: u32) -> Announcement {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    let record = record_of(&NodeKey::from_secret(secret), 1, None);
    Announcement { node: record.node, record: Some(record), ..says(1, 1, &[], &[]) }
}

/// The nodes that `inventory` believes to hold or fetch blob `number`.
pub(crate) fn holders(inventory: &Inventory, number: u8) -> Vec<NodeId> {
    inventory.holders(&blob(number)).map(|(node, _)| node).collect()
}
