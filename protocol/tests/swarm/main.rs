//! Swarms of real exchange machines in virtual time. Each test runs many random seeds; a failure names its seed.
#![allow(clippy::expect_used, reason = "a test's helpers say what they expect")]

mod world;

use std::time::Duration;

use shoal_protocol::{
    exchange::{Fault, FetchError},
    wire::CloseReason,
};
use world::{Setup, World};

const LIMIT: Duration = Duration::from_secs(120);

fn each_seed(count: u64, base: &Setup, check: impl Fn(&World)) {
    for random_seed in 0..count {
        let setup = Setup { random_seed, ..base.clone() };
        let mut world = World::new(setup.clone());
        world.run(LIMIT);
        for node in world.lasting_peers() {
            let reason = world.outcome.failed.get(&node);
            assert!(
                world.outcome.completed.contains_key(&node) || reason.is_some(),
                "{node} neither completed nor failed: {setup:?}"
            );
        }
        check(&world);
    }
}

fn everyone_completes(world: &World) {
    for node in world.lasting_peers() {
        assert!(world.outcome.completed.contains_key(&node), "{node} failed: {:?}", world.outcome);
    }
}

#[test]
fn a_cold_swarm_asks_the_origin_once() {
    each_seed(20, &Setup::default(), |world| {
        everyone_completes(world);
        assert_eq!(world.outcome.pulls, 1);
        assert_eq!(world.outcome.origin_bytes, 64 * 64 * 1024);
        assert_eq!(world.outcome.duplicate_pieces, 0);
        assert!(world.outcome.strikes.is_empty(), "{:?}", world.outcome.strikes);
    });
}

#[test]
fn a_warm_swarm_finishes_near_the_bound() {
    let setup = Setup { is_warm: true, peers: 16, ..Setup::default() };
    each_seed(10, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome.pulls, 0);
        assert!(world.last_over_bound() < 1.5, "{}", world.last_over_bound());
    });
}

#[test]
fn one_peer_and_tiny_blobs() {
    for blob_bytes in [0, 1, 65_535, 65_536, 65_537, 131_072] {
        let setup = Setup { peers: 1, blob_bytes, ..Setup::default() };
        each_seed(3, &setup, |world| {
            everyone_completes(world);
            assert_eq!(world.outcome.origin_bytes, blob_bytes);
        });
    }
}

#[test]
fn a_slow_origin_is_waited_for() {
    let setup = Setup { origin_bytes_per_s: 64 * 1024 / 12, blob_bytes: 5 * 64 * 1024, ..Setup::default() };
    each_seed(5, &setup, everyone_completes);
}

#[test]
fn another_seed_goes_on_where_a_dead_one_left_off() {
    let setup = Setup { seeds: 2, deaths: vec![(0, Duration::from_millis(150))], ..Setup::default() };
    each_seed(20, &setup, |world| {
        everyone_completes(world);
        let blob_bytes = 64 * 64 * 1024;
        assert!(world.outcome.origin_bytes < blob_bytes * 5 / 4, "{:?}", world.outcome.origin_bytes);
    });
}

#[test]
fn without_a_second_seed_the_fetch_ends_clearly() {
    let setup = Setup { deaths: vec![(0, Duration::from_millis(150))], ..Setup::default() };
    each_seed(10, &setup, |world| {
        for reason in world.outcome.failed.values() {
            assert!(matches!(reason, FetchError::Seeds(_) | FetchError::NoSource), "{reason:?}");
        }
    });
}

#[test]
fn dying_and_lossy_peers_slow_nobody_for_ever() {
    let deaths = (2..6).map(|index| (index, Duration::from_millis(60 * index as u64))).collect();
    let setup = Setup { peers: 12, deaths, lost_one_in: Some(20), ..Setup::default() };
    each_seed(20, &setup, |world| {
        everyone_completes(world);
        assert_eq!(world.outcome.pulls, 1);
    });
}

#[test]
fn liars_are_found_out_and_nobody_else_is_blamed() {
    let setup = Setup { peers: 25, liars: 5, ..Setup::default() };
    each_seed(5, &setup, |world| {
        everyone_completes(world);
        let liars: Vec<_> = (21..26).map(|index| world.node(index)).collect();
        for (node, fault) in &world.outcome.strikes {
            assert!(liars.contains(node) && *fault == Fault::CorruptPiece, "{node} was blamed for {fault:?}");
        }
    });
}

#[test]
fn the_origins_refusal_reaches_everyone_at_once() {
    let setup = Setup { seeds: 2, origin_refuses: Some(CloseReason::NotFound), ..Setup::default() };
    each_seed(5, &setup, |world| {
        assert_eq!(world.outcome.pulls, 1);
        for node in world.lasting_peers() {
            assert_eq!(world.outcome.failed.get(&node), Some(&FetchError::Seeds(CloseReason::NotFound)));
        }
    });
}
