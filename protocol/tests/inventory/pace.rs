//! How often a node speaks.

use std::{collections::BTreeSet, time::Duration};

use shoal_protocol::{
    inventory::Inventory,
    time::Timestamp,
    wire::{Announcement, Holding},
};

use crate::node::{at, blob, one_of_many, started};

/// What `node` says until `end`, and when.
fn announcements(node: &mut Inventory, end: Timestamp) -> Vec<(Timestamp, Announcement)> {
    let mut said = Vec::new();
    let mut now = at(0);
    while now < end {
        said.extend(node.poll_announcement(now).map(|announcement| (now, announcement)));
        now = now + Duration::from_millis(10);
    }
    said
}

#[test]
fn the_first_announcement_is_immediate_and_carries_the_record() {
    let mut node = started(1, 1, at(5));
    assert_eq!(node.poll_timeout(), Some(at(5)));
    assert_eq!(node.poll_announcement(at(4)), None);
    let first = node.poll_announcement(at(5)).unwrap();
    assert_eq!((first.seq, first.record.is_some()), (1, true));
    assert_eq!(node.poll_announcement(at(5)), None);
}

#[test]
fn a_quiet_node_says_three_times_in_ten_seconds_that_it_is_there() {
    let said = announcements(&mut started(1, 1, at(0)), at(100));
    let longest = said.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest <= Duration::from_secs(3));
    assert_eq!(said[1].1.lifetime_ms, 10_000);
    let with_record = said.iter().filter(|(_, announcement)| announcement.record.is_some()).count();
    assert!(with_record * 4 >= said.len() && with_record * 2 < said.len());
}

#[test]
fn nodes_that_start_together_do_not_speak_together() {
    let second_times: BTreeSet<_> =
        (0..20).map(|number| announcements(&mut started(number, 1, at(0)), at(4))[1].0).collect();
    assert!(second_times.len() > 10, "{second_times:?}");
}

#[test]
fn changes_are_batched_and_the_last_word_counts() {
    let mut node = started(1, 1, at(0));
    assert!(node.poll_announcement(at(0)).is_some());
    node.set_local(blob(1), Some(Holding::Fetching));
    node.set_local(blob(1), Some(Holding::Holds));
    node.set_local(blob(2), Some(Holding::Fetching));
    node.set_local(blob(2), None);
    assert_eq!(node.poll_announcement(at(0)), None);
    assert_eq!(node.poll_timeout(), Some(at(0) + Duration::from_millis(100)));
    let said = node.poll_announcement(at(1)).unwrap();
    assert_eq!(said.changes.len(), 1);
    assert_eq!(said.changes[0].holding, Some(Holding::Holds));
    assert_eq!(said.total, 1);
    assert!(node.own_list().holdings.contains(&(blob(1), Holding::Holds)));
}

#[test]
fn a_large_cluster_speaks_less_often_and_waits_longer() {
    let mut node = started(0, 1, at(0));
    for number in 0..1000 {
        node.handle_announcement(at(0), &one_of_many(number)).unwrap();
    }
    let said = announcements(&mut node, at(60));
    let longest = said.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest > Duration::from_secs(4) && longest < Duration::from_secs(6), "{longest:?}");
    let lifetime = Duration::from_millis(said[0].1.lifetime_ms.into());
    assert!(lifetime > longest * 3 && lifetime < Duration::from_secs(20), "{lifetime:?}");

    let last = said.last().unwrap().0;
    node.set_local(blob(1), Some(Holding::Holds));
    assert!(node.poll_timeout().unwrap() <= last + Duration::from_millis(501));
}
