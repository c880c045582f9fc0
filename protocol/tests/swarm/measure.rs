//! How close a flash crowd comes to the physical bound. The figures are printed; the limits only catch a collapse.

use super::world::{PIECE_BYTES, Setup, World};

fn measure(peers: usize, holders: usize) -> f64 {
    let setup = Setup {
        peers,
        holders,
        random_seed: 5,
        blobs_bytes: vec![256 * PIECE_BYTES],
        skips_hashing: true,
        ..Setup::default()
    };
    let mut world = World::new(setup);
    world.run(super::LIMIT);
    super::everyone_completes(&world);
    let over = world.last_over_bound();
    let pieces = world.outcome.piece_bytes as f64 / PIECE_BYTES as f64;
    println!(
        "{peers} peers, {}: {over:.3} of the bound, {} duplicates, {:.1} messages a piece",
        if holders > 0 { "warm" } else { "cold" },
        world.outcome.duplicate_pieces,
        world.outcome.messages as f64 / pieces,
    );
    over
}

#[test]
fn a_crowd_stays_near_the_bound() {
    let largest = std::env::var("SHOAL_CROWD").ok().and_then(|peers| peers.parse().ok()).unwrap_or(16);
    for peers in [8, 16, 64, 256].into_iter().filter(|peers| *peers <= largest) {
        for holders in [1, 0] {
            assert!(measure(peers, holders) < 1.3);
        }
    }
}
