//! Nobody can make the inventory grow without end.

use shoal_protocol::{
    bounds::{MAX_ANSWER_FRAME_BYTES, MAX_BLOBS_PER_NODE, MAX_CHANGES_LISTED, MAX_NODES},
    digest::Digest,
    inventory::{Inventory, InventoryError},
    time::Timestamp,
    wire::{Announcement, Answer, Change, Holding, Wire},
};

use crate::node::{at, blob, id, one_of_many, says, started};

fn digest(number: usize) -> Digest {
    let mut hash = [0; 64];
    hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
    hash[8..16].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Digest::Sha512(hash)
}

/// A node that has all it may announce.
fn full_node(number: u8) -> Inventory {
    let mut node = started(number, 1, at(0));
    for number in 0..MAX_BLOBS_PER_NODE {
        assert!(node.set_local(digest(number), Some(Holding::Holds)));
    }
    node
}

fn all_announcements(node: &mut Inventory) -> Vec<Announcement> {
    let mut announcements = Vec::new();
    for second in 0..(MAX_BLOBS_PER_NODE / MAX_CHANGES_LISTED) as u64 {
        announcements.extend(node.poll_announcement(at(second)));
    }
    announcements
}

#[test]
fn a_node_announces_no_more_than_its_bound() {
    let mut node = full_node(1);
    assert!(!node.set_local(blob(1), Some(Holding::Holds)));
    assert!(node.set_local(digest(0), None));
    assert!(node.set_local(blob(1), Some(Holding::Holds)), "one less makes room for one more");
    assert!(node.set_local(blob(1), None));
    assert!(node.set_local(digest(0), Some(Holding::Fetching)));
    assert!(!node.set_local(blob(1), Some(Holding::Holds)));

    let announcements = all_announcements(&mut node);
    assert!(announcements.iter().all(|one| one.changes.len() <= MAX_CHANGES_LISTED));
    assert_eq!(announcements.last().unwrap().total as usize, MAX_BLOBS_PER_NODE);
    assert!(node.set_local(digest(0), None));
    assert!(
        !node.set_local(blob(1), Some(Holding::Holds)),
        "what is announced counts until it is taken back"
    );
}

#[test]
fn a_node_that_announces_more_is_left_without_blobs() {
    let mut sender = full_node(1);
    let mut me = started(0, 1, at(0));
    for announcement in all_announcements(&mut sender) {
        me.handle_announcement(at(1), &announcement).unwrap();
    }
    assert_eq!(me.len_blobs(), MAX_BLOBS_PER_NODE);
    let last = sender.leave();
    let one_more = Announcement {
        changes: vec![Change { digest: blob(1), holding: Some(Holding::Holds) }],
        total: last.total + 1,
        set_hash: last.set_hash ^ Holding::Holds.fingerprint(&blob(1)),
        leaving: false,
        ..last
    };
    assert_eq!(me.handle_announcement(at(1), &one_more), Err(InventoryError::TooManyBlobs(id(1))));
    assert_eq!(me.len_blobs(), 0);
}

#[test]
fn early_announcements_are_kept_up_to_a_bound() {
    let mut me = started(0, 1, at(0));
    me.handle_announcement(at(1), &says(1, 1, &[], &[])).unwrap();
    for seq in 3..100u8 {
        let total: Vec<u8> = (2..=seq).collect();
        me.handle_announcement(at(1), &says(1, seq.into(), &[seq], &total)).unwrap();
    }
    let mut list = started(1, 1, at(0)).own_list();
    list.seq = 95;
    list.holdings = (2..=95).map(|number| (blob(number), Holding::Holds)).collect();
    me.handle_inventory(at(2), id(1), &list).unwrap();
    assert_eq!(me.len_blobs(), 98, "the last ones were kept");
}

#[test]
fn the_dead_make_room_for_the_living() {
    let mut me = started(0, 1, at(0));
    for number in 1..MAX_NODES as u32 {
        me.handle_announcement(at(1), &one_of_many(number)).unwrap();
    }
    assert_eq!(me.len_nodes(), MAX_NODES);
    let one_more = one_of_many(0);
    let too_many = Err(InventoryError::TooManyNodes(one_more.node));
    assert_eq!(me.handle_announcement(at(1), &one_more), too_many);

    let goodbye = Announcement { seq: 2, leaving: true, record: None, ..one_of_many(7) };
    me.handle_announcement(at(1), &goodbye).unwrap();
    me.handle_announcement(at(1), &one_more).unwrap();
    assert!(me.is_live(&one_more.node));
    assert!(me.node(&goodbye.node).is_none());
    let mut bytes = Vec::new();
    Answer::Snapshot(me.snapshot(at(1))).encode(&mut bytes);
    assert!(bytes.len() <= MAX_ANSWER_FRAME_BYTES && Answer::decode(&bytes).is_ok());
    assert_eq!(me.len_nodes(), MAX_NODES);
}

#[test]
fn a_snapshot_fits_its_frame() {
    let mut me = started(0, 1, at(0));
    for number in 1..10 {
        let mut other = full_node(number);
        for announcement in all_announcements(&mut other) {
            me.handle_announcement(at(1), &announcement).unwrap();
        }
    }
    let entries = me.snapshot(at(1));
    assert_eq!(entries.len(), 10);
    let left_out = entries.iter().filter(|entry| entry.holdings.is_none()).count();
    assert_eq!(left_out, 2, "lists of about 1.1 MB each, in 8 MiB");
    let mut bytes = Vec::new();
    Answer::Snapshot(entries).encode(&mut bytes);
    assert!(bytes.len() <= MAX_ANSWER_FRAME_BYTES);
    assert!(Answer::decode(&bytes).is_ok());
}

#[test]
fn what_is_said_of_time_is_bounded() {
    let mut me = started(0, 1, Timestamp::ZERO);
    let forever = Announcement { lifetime_ms: u32::MAX, ..says(1, 1, &[], &[]) };
    me.handle_announcement(at(1), &forever).unwrap();
    me.handle_expiry(at(302));
    assert!(!me.is_live(&id(1)));
}
