//! Nodes come, leave, fall silent, and start again.

use std::time::Duration;

use shoal_protocol::{
    inventory::{Inventory, InventoryConfig, InventoryError},
    membership::Role,
    wire::{Announcement, Holding, SnapshotEntry},
};

use crate::{
    node::{at, blob, cluster, holders, id, record, says, started},
    world::{Network, World},
};

#[test]
fn a_silent_node_expires_within_seconds_and_is_forgotten_later() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_expiry(at(10));
    assert!(me.is_live(&id(1)));
    let deadline = me.poll_timeout().unwrap();
    assert!(deadline <= at(11));
    me.handle_expiry(at(11));
    assert!(!me.is_live(&id(1)));
    assert!(holders(&me, 1).is_empty() && me.live_nodes().next().is_none());
    assert!(me.node(&id(1)).is_some());

    me.handle_announcement(at(20), &says(1, 9, &[], &[1])).unwrap();
    assert_eq!(holders(&me, 1), [id(1)], "after a short partition nothing needs to be fetched");
    me.handle_expiry(at(30));
    me.handle_expiry(at(30 + 600));
    assert!(me.node(&id(1)).is_none());
    assert_eq!(me.len_blobs(), 0);
}

#[test]
fn a_crashed_node_is_noticed_by_all() {
    let mut world = World::new(4, Network::GOOD, 1);
    world.run_for(Duration::from_secs(5));
    let crashed = world.nodes.pop().unwrap();
    world.run_for(Duration::from_secs(11));
    assert!(world.nodes.iter().all(|node| node.len_nodes() == 3));
    drop(crashed);
}

#[test]
fn a_goodbye_is_final() {
    let mut world = World::new(3, Network::GOOD, 1);
    world.set(2, 7, Some(Holding::Holds));
    world.run_for(Duration::from_secs(5));
    let relayed = world.nodes[1].snapshot(world.now);
    let mut left = world.nodes.pop().unwrap();
    let goodbye = left.leave();
    world.gossip(2, &goodbye);
    world.run_for(Duration::from_secs(1));
    for node in &world.nodes {
        assert_eq!((node.len_nodes(), node.len_blobs()), (2, 0));
    }
    assert_eq!(left.poll_announcement(at(1000)), None);
    let now = world.now;
    world.nodes[0].handle_snapshot(now, relayed).unwrap();
    assert!(!world.nodes[0].is_live(&id(2)), "a late snapshot does not bring it back");
    world.nodes[0].handle_inventory(now, id(2), &left.own_list()).unwrap();
    assert!(!world.nodes[0].is_live(&id(2)));
}

#[test]
fn a_suspect_counts_again_when_heard() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.suspect(id(1));
    me.suspect(id(9));
    assert!(!me.is_live(&id(1)) && holders(&me, 1).is_empty());
    me.handle_snapshot(at(2), []).unwrap();
    me.handle_announcement(at(2), &says(1, 1, &[1], &[1])).unwrap();
    assert!(!me.is_live(&id(1)), "a repeated announcement is no sign of life");
    me.handle_announcement(at(2), &says(1, 2, &[], &[1])).unwrap();
    assert_eq!(holders(&me, 1), [id(1)]);
}

#[test]
fn a_restart_replaces_all_that_was_known() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    let again = Announcement { incarnation: 2, record: Some(record(1, 2, None)), ..says(1, 1, &[2], &[2]) };
    me.handle_announcement(at(2), &again).unwrap();
    assert!(holders(&me, 1).is_empty());
    assert_eq!(holders(&me, 2), [id(1)]);

    let stale = InventoryError::StaleIncarnation { node: id(1), known: 2, found: 1 };
    assert_eq!(me.handle_announcement(at(3), &says(1, 2, &[], &[1])), Err(stale));
    let old_list = started(1, 1, at(0)).own_list();
    assert_eq!(me.handle_inventory(at(3), id(1), &old_list), Err(stale));
    let old_entry = SnapshotEntry {
        record: record(1, 1, None),
        seq: 99,
        silent_ms: 0,
        lifetime_ms: 10_000,
        holdings: Some(vec![(blob(1), Holding::Holds)]),
    };
    me.handle_snapshot(at(3), [old_entry]).unwrap();
    assert!(holders(&me, 1).is_empty());
}

#[test]
fn a_restart_without_a_record_is_looked_into() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    let again = Announcement { incarnation: 2, record: None, ..says(1, 2, &[2], &[2]) };
    me.handle_announcement(at(2), &again).unwrap();
    assert_eq!(me.poll_stale(at(6)), Some(id(1)));
    let goodbye = Announcement { leaving: true, record: None, ..says(3, 2, &[], &[]) };
    me.handle_announcement(at(2), &goodbye).unwrap();
    assert_eq!(me.poll_stale(at(7)), None, "who leaves before it was known is not asked");
}

#[test]
fn seeds_are_those_with_a_token() {
    let mut me = started(0, 1, at(0));
    assert!(me.live_seeds().is_empty());
    let seed = Announcement { record: Some(record(1, 1, Some(Role::Seed))), ..says(1, 1, &[], &[]) };
    let peer = Announcement { record: Some(record(2, 1, Some(Role::Peer))), ..says(2, 1, &[], &[]) };
    me.handle_announcement(at(1), &seed).unwrap();
    me.handle_announcement(at(1), &peer).unwrap();
    assert_eq!(me.live_seeds(), [id(1)]);
    assert_eq!(me.live_nodes().count(), 2);
    me.suspect(id(1));
    assert!(me.live_seeds().is_empty());
}

#[test]
fn a_node_knows_itself() {
    let record = record(1, 1, Some(Role::Seed));
    let mut me = Inventory::new(record.clone(), cluster(), InventoryConfig::default(), at(0)).unwrap();
    assert_eq!(me.live_seeds(), [id(1)]);
    assert!(me.is_live(&id(1)));
    assert_eq!(me.node(&id(1)), Some(&record));
    assert_eq!(me.len_nodes(), 1);
    me.handle_announcement(at(1), &says(1, 9, &[1], &[1])).unwrap();
    assert!(holders(&me, 1).is_empty(), "an echo of its own gossip is ignored");
}
