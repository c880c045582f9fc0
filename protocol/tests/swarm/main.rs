//! Swarms of real exchange machines in virtual time. Each test runs many random seeds; a failure names its setup.
#![allow(clippy::expect_used, reason = "a test's helpers say what they expect")]

mod crowd;
mod faults;
mod hostile;
mod liars;
mod measure;
mod world;

use std::time::Duration;

use world::{Setup, World};

const LIMIT: Duration = Duration::from_secs(120);

/// Runs worlds that differ in their random seed; everyone must have come to an end in each.
fn each_seed(count: u64, base: &Setup, check: impl Fn(&World)) {
    for random_seed in 0..count {
        let setup = Setup { random_seed, ..base.clone() };
        println!("{setup:?}");
        let mut world = World::new(setup);
        world.run(LIMIT);
        for digest in world.digests() {
            for node in world.lasting_peers() {
                let ended = world.outcome.completed.contains_key(&(node, digest))
                    || world.outcome.failed.contains_key(&(node, digest));
                assert!(ended, "{node} neither completed nor failed");
            }
        }
        check(&world);
    }
}

fn everyone_completes(world: &World) {
    for digest in world.digests() {
        for node in world.lasting_peers() {
            let failed = world.outcome.failed.get(&(node, digest));
            assert!(world.outcome.completed.contains_key(&(node, digest)), "{node} failed: {failed:?}");
        }
    }
}
