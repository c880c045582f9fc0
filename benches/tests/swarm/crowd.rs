//! Swarms in which nothing breaks.

use std::time::Duration;

use shoal_protocol::{exchange::FetchError, wire::CloseReason};

use shoal_benches::sim::world::{Fate, PIECE_BYTES, Setup, World};

use super::{LIMIT, each_seed, everyone_completes, last_completion};

#[test]
fn a_cold_swarm_asks_the_origin_once() {
    each_seed(8, &Setup::default(), |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert_eq!(world.outcome().origin_bytes, 64 * PIECE_BYTES);
        assert_eq!(world.outcome().duplicate_pieces, 0);
        assert!(world.outcome().strikes.is_empty(), "{:?}", world.outcome().strikes);
    });
}

#[test]
fn a_warm_swarm_finishes_near_the_bound() {
    let setup = Setup { holders: 1, peers: 16, ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 0);
        // 64 pieces for 16 peers: the bound is 0.356 s.
        assert!(last_completion(world) < Duration::from_millis(530), "{:?}", last_completion(world));
    });
}

/// An offer that is declined costs two messages and brings nothing.
#[test]
fn most_offers_are_taken() {
    let setup = Setup {
        holders: 1,
        peers: 16,
        blobs_bytes: vec![256 * 4 * PIECE_BYTES],
        piece_bytes: Some(4 * PIECE_BYTES as u32),
        skips_hashing: true,
        ..Setup::default()
    };
    each_seed(3, &setup, |world| {
        everyone_completes(world);
        let messages_per_piece = world.outcome().messages as f64 / (256.0 * 16.0);
        assert!(messages_per_piece < 5.5, "{messages_per_piece}");
    });
}

#[test]
fn one_peer_and_tiny_blobs() {
    for blob_bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES] {
        let setup = Setup { peers: 1, blobs_bytes: vec![blob_bytes], ..Setup::default() };
        each_seed(3, &setup, |world| {
            everyone_completes(world);
            assert_eq!(world.outcome().origin_bytes, blob_bytes);
        });
    }
}

#[test]
fn all_blobs_of_an_image_at_once() {
    let blobs_bytes = [1, 40, 12, 3, 0, 24].map(|pieces| pieces * PIECE_BYTES + 17).to_vec();
    let setup = Setup { blobs_bytes, peers: 10, ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 6);
        assert!(world.outcome().strikes.is_empty(), "{:?}", world.outcome().strikes);
    });
}

#[test]
fn a_slow_origin_is_waited_for() {
    let setup = Setup {
        origin_bytes_per_s: PIECE_BYTES / 12,
        blobs_bytes: vec![5 * PIECE_BYTES],
        ..Setup::default()
    };
    each_seed(3, &setup, everyone_completes);
}

#[test]
fn an_origin_that_takes_long_to_begin_is_waited_for() {
    let setup = Setup { origin_delay: Duration::from_secs(25), ..Setup::default() };
    each_seed(3, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
    });
}

#[test]
fn holders_need_no_seed() {
    let setup = Setup { seeds: 0, peers: 12, holders: 2, ..Setup::default() };
    for random_seed in 0..4 {
        let mut world = World::new(Setup { random_seed, ..setup.clone() }).unwrap();
        world.run(LIMIT);
        for node in 2..12 {
            assert!(world.outcome().completed(node).is_some(), "{node}");
        }
    }
}

#[test]
fn those_who_come_late_are_served_by_those_who_have_it() {
    let fates = (5..9).map(|index| (index, Duration::from_millis(400 * index as u64), Fate::Joins)).collect();
    each_seed(4, &Setup { fates, ..Setup::default() }, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert!(world.outcome().strikes.is_empty(), "{:?}", world.outcome().strikes);
    });
}

#[test]
fn a_reader_is_not_kept_waiting() {
    let setup = Setup { reads: true, holders: 1, blobs_bytes: vec![256 * PIECE_BYTES], ..Setup::default() };
    each_seed(3, &setup, |world| {
        everyone_completes(world);
        assert!(
            world.outcome().longest_wait < Duration::from_millis(700),
            "{:?}",
            world.outcome().longest_wait
        );
    });
}

#[test]
fn the_origins_refusal_reaches_everyone_at_once() {
    let setup = Setup { seeds: 2, origin_refuses: Some(CloseReason::NotFound), ..Setup::default() };
    each_seed(3, &setup, |world| {
        assert_eq!(world.outcome().pulls, 1);
        for reason in world.outcome().failures() {
            assert_eq!(reason, FetchError::Seeds(CloseReason::NotFound));
        }
    });
}

/// A seed that finds out at the end that its origin sent something else must not begin anew without end.
#[test]
fn an_origin_that_sends_something_else_is_given_up() {
    let setup = Setup { origin_refuses: Some(CloseReason::BadChain), ..Setup::default() };
    each_seed(3, &setup, |world| {
        assert!(world.outcome().pulls <= 2, "{} pulls", world.outcome().pulls);
        assert!(world.lasting_peers().all(|node| world.outcome().completed(node).is_none()));
        for reason in world.outcome().failures() {
            assert_eq!(reason, FetchError::Seeds(CloseReason::BadChain));
        }
    });
}

#[test]
fn seeds_that_each_take_the_other_for_the_owner_agree() {
    let setup = Setup { seeds: 2, owners_disagree: true, ..Setup::default() };
    each_seed(4, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome().pulls, 1);
        assert!(last_completion(world) < Duration::from_millis(1500), "{:?}", last_completion(world));
    });
}

#[test]
fn one_random_seed_has_one_outcome() {
    let fates = vec![(3, Duration::from_millis(100), Fate::Dies)];
    let setup = Setup { seeds: 2, lost_one_in: Some(15), fates, ..Setup::default() };
    let outcome = || {
        let mut world = World::new(setup.clone()).unwrap();
        world.run(LIMIT);
        format!("{:?}", world.outcome())
    };
    assert_eq!(outcome(), outcome());
}
