//! What one node says of another.

use shoal_protocol::{
    inventory::Inventory,
    wire::{Holding, SnapshotEntry},
};

use crate::node::{at, blob, holders, id, record, says, started};

fn entry(number: u8, seq: u64, blobs: Option<&[u8]>) -> SnapshotEntry {
    let holdings = blobs.map(|blobs| blobs.iter().map(|number| (blob(*number), Holding::Holds)).collect());
    SnapshotEntry { record: record(number, 1, None), seq, silent_ms: 0, lifetime_ms: 10_000, holdings }
}

fn told(entries: Vec<SnapshotEntry>) -> Inventory {
    let mut me = started(0, 1, at(0));
    me.handle_snapshot(at(1), entries).unwrap();
    me
}

#[test]
fn a_true_snapshot_is_confirmed_by_the_next_announcement() {
    let mut me = told(vec![entry(1, 5, Some(&[1, 2]))]);
    assert_eq!(holders(&me, 2), [id(1)]);
    me.handle_announcement(at(2), &says(1, 6, &[3], &[1, 2, 3])).unwrap();
    assert_eq!(holders(&me, 3), [id(1)]);
    assert_eq!(me.poll_stale(at(60)), None);
}

#[test]
fn a_false_list_goes_when_the_node_speaks() {
    let mut me = told(vec![entry(1, 5, Some(&[1, 2, 66]))]);
    me.handle_announcement(at(2), &says(1, 6, &[3], &[1, 2, 3])).unwrap();
    assert!(holders(&me, 66).is_empty());
    assert_eq!(me.poll_stale(at(3)), Some(id(1)));
}

#[test]
fn a_false_sequence_number_cannot_silence_a_node() {
    let mut me = told(vec![entry(1, u64::MAX, Some(&[66]))]);
    me.handle_announcement(at(2), &says(1, 6, &[], &[66])).unwrap();
    me.handle_announcement(at(3), &says(1, 7, &[1], &[1, 66])).unwrap();
    assert_eq!(holders(&me, 1), [id(1)]);

    let mut me = told(vec![entry(1, u64::MAX, Some(&[66]))]);
    me.handle_announcement(at(2), &says(1, 6, &[3], &[1, 2, 3])).unwrap();
    assert_eq!(me.poll_stale(at(6)), Some(id(1)), "what can't be confirmed is asked for");
}

#[test]
fn hearsay_does_not_replace_what_the_node_said() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_snapshot(at(1), [entry(1, 9, Some(&[66])), entry(0, 9, Some(&[66]))]).unwrap();
    assert!(holders(&me, 66).is_empty());
    assert_eq!(holders(&me, 1), [id(1)]);
}

#[test]
fn what_a_snapshot_leaves_out_is_asked_for() {
    let mut me = told(vec![entry(1, 5, None)]);
    assert!(me.is_live(&id(1)));
    assert_eq!(me.poll_stale(at(2)), Some(id(1)));
    me.handle_announcement(at(3), &says(1, 6, &[], &[])).unwrap();
    assert_eq!(me.snapshot(at(3)).len(), 2);
}

#[test]
fn a_snapshot_passes_on_how_long_a_node_was_silent() {
    let mut me = told(vec![SnapshotEntry { silent_ms: 4_000, ..entry(1, 5, Some(&[1])) }]);
    let relayed = me.snapshot(at(3));
    let of_other = relayed.iter().find(|entry| entry.record.node == id(1)).unwrap();
    assert_eq!(of_other.silent_ms, 6_000);
    me.handle_expiry(at(7));
    assert!(!me.is_live(&id(1)));
    me.handle_snapshot(at(8), [SnapshotEntry { silent_ms: 10_000, ..entry(2, 5, None) }]).unwrap();
    assert!(me.node(&id(2)).is_none(), "a node silent for its lifetime is not news");
}
