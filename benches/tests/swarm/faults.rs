//! Nodes that die, lose pieces, stall and come back.

use std::time::Duration;

use shoal_protocol::exchange::FetchError;

use shoal_benches::sim::world::{Fate, PIECE_BYTES, Setup, Vice};

use super::{each_seed, everyone_completes, last_completion};

const fn after(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn another_seed_goes_on_where_a_dead_one_left_off() {
    let setup = Setup { seeds: 2, fates: vec![(0, after(150), Fate::Dies)], ..Setup::default() };
    each_seed(8, &setup, |world| {
        everyone_completes(world);
        assert!(world.outcome().origin_bytes < 80 * PIECE_BYTES, "{:?}", world.outcome().origin_bytes);
    });
}

#[test]
fn another_seed_goes_on_where_a_vanished_one_left_off() {
    let setup = Setup { seeds: 2, fates: vec![(0, after(150), Fate::Vanishes)], ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert!(world.outcome().origin_bytes < 80 * PIECE_BYTES, "{:?}", world.outcome().origin_bytes);
    });
}

#[test]
fn a_seed_that_restarts_is_asked_again() {
    let setup = Setup { fates: vec![(0, after(150), Fate::Restarts(after(500)))], ..Setup::default() };
    each_seed(4, &setup, everyone_completes);
}

#[test]
fn without_a_second_seed_the_fetch_ends_clearly() {
    let setup = Setup { fates: vec![(0, after(150), Fate::Dies)], ..Setup::default() };
    each_seed(4, &setup, |world| {
        for reason in world.outcome().failures() {
            assert!(matches!(reason, FetchError::Seeds(_) | FetchError::NoSource), "{reason:?}");
        }
        assert!(last_completion(world) < Duration::from_secs(12));
    });
}

#[test]
fn dying_and_lossy_peers_slow_nobody_for_ever() {
    let fates = (2..6).map(|index| (index, after(60 * index as u64), Fate::Dies)).collect();
    let setup = Setup { peers: 12, fates, lost_one_in: Some(20), ..Setup::default() };
    each_seed(8, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert!(world.outcome().strikes.is_empty(), "{:?}", world.outcome().strikes);
    });
}

#[test]
fn vanished_peers_are_worked_around() {
    let fates = (2..6).map(|index| (index, after(60 * index as u64), Fate::Vanishes)).collect();
    let setup = Setup { peers: 14, fates, ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert!(last_completion(world) < Duration::from_secs(8), "{:?}", last_completion(world));
    });
}

#[test]
fn stalled_peers_are_worked_around() {
    let setup = Setup { peers: 12, vices: vec![Vice::Stalls; 4], ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert!(last_completion(world) < Duration::from_secs(8), "{:?}", last_completion(world));
    });
}

#[test]
fn what_a_peer_had_before_a_restart_is_not_fetched_again() {
    let fates = vec![(3, after(250), Fate::Restarts(after(100)))];
    each_seed(4, &Setup { fates, ..Setup::default() }, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().duplicate_pieces, 0);
        assert!(world.outcome().strikes.is_empty(), "{:?}", world.outcome().strikes);
    });
}
