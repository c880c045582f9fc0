//! Announcements that are lost, late or repeated.

use std::time::Duration;

use shoal_protocol::{
    inventory::Inventory,
    time::Timestamp,
    wire::{Change, Holding, InventoryList},
};

use crate::node::{at, blob, holders, id, record, says, started};

fn me() -> Inventory {
    started(0, 1, at(0))
}

fn list(seq: u64, blobs: &[u8]) -> InventoryList {
    InventoryList {
        record: record(1, 1, None),
        seq,
        lifetime_ms: 10_000,
        holdings: blobs.iter().map(|number| (blob(*number), Holding::Holds)).collect(),
    }
}

/// Who is asked for its list until `end`, and when first.
fn fetches(me: &mut Inventory, from: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    let mut now = from;
    let mut fetched = Vec::new();
    while now < end {
        if me.poll_stale(now).is_some() {
            fetched.push(now);
        }
        now = now + Duration::from_millis(10);
    }
    fetched
}

#[test]
fn late_announcements_take_their_place() {
    let mut me = me();
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_announcement(at(1), &says(1, 3, &[3], &[1, 2, 3])).unwrap();
    assert!(holders(&me, 3).is_empty());
    me.handle_announcement(at(2), &says(1, 2, &[2], &[1, 2])).unwrap();
    assert_eq!(holders(&me, 2), [id(1)]);
    assert_eq!(holders(&me, 3), [id(1)]);
    assert!(fetches(&mut me, at(2), at(60)).is_empty());
}

#[test]
fn repeated_announcements_change_nothing() {
    let mut me = me();
    let first = says(1, 1, &[1], &[1]);
    let mut second = says(1, 2, &[], &[]);
    second.changes = vec![Change { digest: blob(1), holding: None }];
    me.handle_announcement(at(1), &first).unwrap();
    me.handle_announcement(at(1), &second).unwrap();
    me.handle_announcement(at(9), &first).unwrap();
    assert!(holders(&me, 1).is_empty());
    me.handle_expiry(at(11));
    assert!(!me.is_live(&id(1)), "a repeated announcement is no sign of life");
}

#[test]
fn a_lost_heartbeat_is_not_missed() {
    let mut me = me();
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_announcement(at(1), &says(1, 5, &[2], &[1, 2])).unwrap();
    assert_eq!(holders(&me, 2), [id(1)]);
    assert!(fetches(&mut me, at(1), at(60)).is_empty());
}

#[test]
fn a_gap_that_stays_is_fetched_with_patience() {
    let mut me = me();
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_announcement(at(1), &says(1, 3, &[3], &[1, 2, 3])).unwrap();
    let times = fetches(&mut me, at(1), at(120));
    assert!(times[0] >= at(4) && times[0] < at(5), "first {:?}", times[0]);
    assert_eq!(times.len(), 5, "it gives up when nobody answers");
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f32().round()).collect();
    assert_eq!(pauses, [2.0, 4.0, 8.0, 16.0]);
}

#[test]
fn a_list_closes_the_gap_and_early_ones_follow() {
    let mut me = me();
    me.handle_announcement(at(1), &says(1, 4, &[4], &[1, 2, 3, 4])).unwrap();
    me.handle_announcement(at(1), &says(1, 2, &[2], &[1, 2])).unwrap();
    assert!(holders(&me, 4).is_empty());
    me.handle_inventory(at(2), id(1), &list(3, &[1, 2, 3])).unwrap();
    assert_eq!(holders(&me, 4), [id(1)]);
    assert!(fetches(&mut me, at(2), at(60)).is_empty());
    me.handle_inventory(at(3), id(1), &list(2, &[1])).unwrap();
    assert_eq!(holders(&me, 4), [id(1)], "an older list is no news");
}

#[test]
fn a_node_at_odds_with_itself_is_asked() {
    let mut me = me();
    me.handle_announcement(at(1), &says(1, 1, &[1], &[1])).unwrap();
    me.handle_announcement(at(1), &says(1, 2, &[2], &[2])).unwrap();
    assert!(holders(&me, 1).is_empty() && holders(&me, 2).is_empty());
    assert_eq!(fetches(&mut me, at(1), at(2)).len(), 1);
    me.handle_inventory(at(2), id(1), &list(2, &[2])).unwrap();
    assert_eq!(holders(&me, 2), [id(1)]);
}

#[test]
fn a_stranger_is_asked_who_it_is() {
    let mut me = me();
    let mut unsigned = says(1, 7, &[7], &[7]);
    unsigned.record = None;
    me.handle_announcement(at(1), &unsigned).unwrap();
    assert!(!me.is_live(&id(1)));
    assert_eq!(fetches(&mut me, at(1), at(5)).len(), 1);
    me.handle_inventory(at(5), id(1), &list(7, &[7])).unwrap();
    assert_eq!(holders(&me, 7), [id(1)]);
    assert_eq!(me.node(&id(1)), Some(&record(1, 1, None)));
}

#[test]
fn fetches_are_spread_in_time() {
    let mut me = me();
    for number in 1..100 {
        me.handle_announcement(at(1), &says(number, 3, &[3], &[1, 2, 3])).unwrap();
    }
    let times = fetches(&mut me, at(1), at(6));
    let fewest_apart = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert!(fewest_apart >= Some(Duration::from_millis(20)), "{fewest_apart:?}");
}
