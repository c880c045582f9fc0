//! Forged records and roles.

use shoal_protocol::{
    identity::Signature,
    inventory::{Inventory, InventoryConfig, InventoryError},
    membership::{ClusterKey, Role},
    wire::{Announcement, NodeRecord, SnapshotEntry},
};

use crate::node::{at, cluster, id, key, record, says, started};

fn introduced(record: NodeRecord) -> Result<(), InventoryError> {
    let announcement = Announcement { record: Some(record), ..says(1, 1, &[], &[]) };
    let mut me = started(0, 1, at(0));
    let result = me.handle_announcement(at(1), &announcement);
    assert_eq!(result.is_ok(), me.is_live(&id(1)));
    result
}

#[test]
fn a_record_must_be_signed_by_its_node() {
    let bad = Err(InventoryError::BadRecord(id(1)));
    let mut moved = record(1, 1, None);
    moved.lane_addresses = vec!["192.0.2.1:1".parse().unwrap()];
    assert_eq!(introduced(moved), bad);
    let mut by_another = record(1, 1, None);
    by_another.sign(&key(2));
    assert_eq!(introduced(by_another), bad);
    assert_eq!(introduced(record(2, 1, None)), bad, "another node's record");
    assert_eq!(introduced(record(1, 2, None)), bad, "another incarnation's record");
}

#[test]
fn a_record_must_keep_its_bounds_even_when_signed() {
    let bad = Err(InventoryError::BadRecord(id(1)));
    let mut with_newline = record(1, 1, None);
    with_newline.zone = "a\nb".into();
    with_newline.sign(&key(1));
    assert_eq!(introduced(with_newline.clone()), bad);
    let own = Inventory::new(with_newline, cluster(), InventoryConfig::default(), at(0));
    assert_eq!(own.err(), Some(InventoryError::BadRecord(id(1))));
}

#[test]
fn a_role_must_come_from_the_holder_of_the_cluster_key() {
    let other_cluster = ClusterKey::from_root([1; 32]);
    let mut forged = record(1, 1, None);
    forged.role = Some(other_cluster.issue_role(&id(1), Role::Seed).unwrap());
    forged.sign(&key(1));
    assert_eq!(introduced(forged), Err(InventoryError::BadRole(id(1))));
    let mut borrowed = record(1, 1, None);
    borrowed.role = Some(cluster().issue_role(&id(2), Role::Seed).unwrap());
    borrowed.sign(&key(1));
    assert_eq!(introduced(borrowed), Err(InventoryError::BadRole(id(1))));
}

#[test]
fn one_forged_entry_does_not_spoil_a_snapshot() {
    let entry = |record| SnapshotEntry { record, seq: 1, silent_ms: 0, lifetime_ms: 10_000, holdings: None };
    let mut forged = record(1, 1, None);
    forged.signature = Signature([7; 64]);
    let mut me = started(0, 1, at(0));
    let result = me.handle_snapshot(at(1), [entry(forged), entry(record(2, 1, None))]);
    assert_eq!(result, Err(InventoryError::BadRecord(id(1))));
    assert!(!me.is_live(&id(1)) && me.is_live(&id(2)));
}

#[test]
fn a_list_must_be_about_the_node_that_gives_it() {
    let mut me = started(0, 1, at(0));
    let list = started(1, 1, at(0)).own_list();
    assert_eq!(me.handle_inventory(at(1), id(2), &list), Err(InventoryError::BadRecord(id(2))));
    assert_eq!(me.handle_inventory(at(1), id(1), &list), Ok(()));
}
