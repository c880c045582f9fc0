//! Which world a random seed stands for.

use std::{collections::BTreeSet, time::Duration};

use crate::sim::world::{Bug, Fate, PIECE_BYTES, Setup, Slow, Vice, Zones};

/// Faults begin within this long, while most worlds are at work.
const TROUBLED: Duration = Duration::from_millis(1500);

/// The world of a random seed, with a planted fault if one is to be found.
pub fn draw(random_seed: u64, bug: Option<Bug>) -> Setup {
    let mut rng = fastrand::Rng::with_seed(random_seed);
    let peers = rng.usize(2..14);
    let seeds = rng.usize(1..4);
    let setup = Setup {
        random_seed,
        peers,
        seeds,
        // A set: two empty blobs would be one.
        blobs_bytes: (0..rng.usize(1..4))
            .map(|_| blob_bytes(&mut rng))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        link_bytes_per_s: 1_000_000 << rng.u32(0..8),
        delay: Duration::from_micros(50 << rng.u32(0..10)),
        origin_bytes_per_s: 500_000 << rng.u32(0..8),
        origin_delay: Duration::from_millis(if rng.u8(..4) == 0 { rng.u64(..3000) } else { 0 }),
        holders: if rng.bool() { 0 } else { rng.usize(..=seeds) },
        slow: (rng.u8(..4) == 0).then_some(Slow { share: 0.3, factor: 0.25 }),
        zones: (rng.u8(..6) == 0).then_some(Zones {
            count: 2,
            trunk_bytes_per_s: 4_000_000,
            extra_delay: Duration::from_millis(10),
        }),
        reads: rng.bool(),
        ..Setup::default()
    };
    match bug {
        Some(bug) => plant(setup, bug),
        None => trouble(setup, &mut rng),
    }
}

fn blob_bytes(rng: &mut fastrand::Rng) -> u64 {
    match rng.u8(..8) {
        0 => rng.u64(..2),
        1 => PIECE_BYTES * rng.u64(1..4),
        _ => rng.u64(1..40 * PIECE_BYTES),
    }
}

/// Lets things go wrong. One seed is spared, and so is a peer that is honest: there is somebody who must finish.
fn trouble(mut setup: Setup, rng: &mut fastrand::Rng) -> Setup {
    let vices = [Vice::Garbles, Vice::SignsFalseChain, Vice::RelaysFalseChain, Vice::Stalls];
    if rng.u8(..3) == 0 {
        let count = rng.usize(..setup.peers.min(4));
        setup.vices = (0..count).map(|_| vices[rng.usize(..vices.len())]).collect();
    }
    setup.lost_one_in = (rng.u8(..4) == 0).then(|| rng.u32(8..60));
    let spared = [setup.seeds - 1, setup.seeds];
    let honest = setup.nodes() - setup.vices.len();
    for node in (0..honest).filter(|node| !spared.contains(node)) {
        if rng.u8(..4) != 0 {
            continue;
        }
        let fate = match rng.u8(..4) {
            0 => Fate::Dies,
            1 => Fate::Vanishes,
            2 => Fate::Restarts(Duration::from_millis(rng.u64(10..3000))),
            _ if node >= setup.seeds => Fate::Joins,
            _ => Fate::Dies,
        };
        setup.fates.push((node, TROUBLED.mul_f64(rng.f64()), fate));
    }
    setup
}

/// A world in which the planted fault can show.
fn plant(setup: Setup, bug: Bug) -> Setup {
    let setup = Setup { bug: Some(bug), peers: setup.peers.max(6), ..setup };
    match bug {
        Bug::SkipsVerification => Setup { vices: vec![Vice::Garbles; 2], ..setup },
        Bug::TwoOwners => Setup { seeds: 2, holders: 0, ..setup },
        Bug::ServesUnfinished => Setup { holders: 0, ..setup },
        Bug::ForgetsTimeouts => Setup { vices: vec![Vice::Stalls; 2], ..setup },
    }
}
