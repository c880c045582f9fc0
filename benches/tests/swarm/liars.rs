//! Neighbours that send garbage, and authors that sign what is not true.

use shoal_protocol::exchange::Fault;

use shoal_benches::sim::world::{PIECE_BYTES, Setup, Vice, World};

use super::{each_seed, everyone_completes};

/// Only the last `count` nodes were struck at, and only for one of these.
fn only_liars_are_blamed(world: &World, count: usize, faults: &[Fault]) {
    let total = world.setup().nodes();
    let liars: Vec<_> = (total - count..total).map(|index| world.node(index)).collect();
    for (node, fault) in &world.outcome().strikes {
        assert!(liars.contains(node) && faults.contains(fault), "{node} was blamed for {fault:?}");
    }
}

#[test]
fn liars_are_found_out_and_nobody_else_is_blamed() {
    let setup = Setup { peers: 25, vices: vec![Vice::Garbles; 5], ..Setup::default() };
    each_seed(3, &setup, |world| {
        everyone_completes(world);
        only_liars_are_blamed(world, 5, &[Fault::CorruptPiece]);
    });
}

#[test]
fn false_chains_give_way_to_a_seeds() {
    for vice in [Vice::SignsFalseChain, Vice::RelaysFalseChain] {
        let setup = Setup { peers: 6, vices: vec![vice; 2], ..Setup::default() };
        each_seed(2, &setup, |world| {
            everyone_completes(world);
            assert!(world.outcome().origin_bytes <= 80 * PIECE_BYTES);
        });
    }
}

#[test]
fn a_false_chain_does_not_outlive_true_holders() {
    for vice in [Vice::SignsFalseChain, Vice::RelaysFalseChain] {
        let setup = Setup { peers: 10, holders: 1, vices: vec![vice; 2], ..Setup::default() };
        each_seed(4, &setup, everyone_completes);
    }
}
