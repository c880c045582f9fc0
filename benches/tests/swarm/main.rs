//! Swarms of real exchange machines in virtual time. Each test runs many random seeds; a failure names its setup.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test's helpers say what they expect")]

mod chaos;
mod crowd;
mod faults;
mod hostile;
mod liars;
mod slots;
mod zones;

use std::time::Duration;

use shoal_benches::sim::world::{Setup, World};

const LIMIT: Duration = Duration::from_secs(120);

/// Runs worlds that differ in their random seed; everyone must have come to an end in each, and no rule be broken.
fn each_seed(count: u64, base: &Setup, check: impl Fn(&World)) {
    for random_seed in 0..count {
        let setup = Setup { random_seed, ..base.clone() };
        println!("{setup:?}");
        let mut world = World::new(setup).unwrap();
        world.run(LIMIT);
        for node in world.lasting_peers() {
            for blob in 0..world.setup().blobs_bytes.len() {
                assert!(world.outcome().end(node, blob).is_some(), "{node} neither completed nor failed");
            }
        }
        check(&world);
    }
}

fn everyone_completes(world: &World) {
    assert_eq!(world.outcome().violations, Vec::<String>::new());
    for node in world.lasting_peers() {
        assert!(
            world.outcome().completed(node).is_some(),
            "{node} failed: {:?}",
            world.outcome().end(node, 0)
        );
    }
}

/// When the last lasting peer had everything.
fn last_completion(world: &World) -> Duration {
    let times = world.lasting_peers().filter_map(|node| world.outcome().completed(node));
    Duration::from_micros(times.map(|at| at.as_micros()).max().unwrap_or_default())
}
