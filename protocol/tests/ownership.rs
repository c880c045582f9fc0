//! Who owns what: agreed on, spread evenly, and moved as little as possible.

use std::collections::BTreeMap;

use proptest::{collection::btree_set, prelude::*};
use shoal_protocol::{identity::NodeId, ownership::owners};

fn seeds(count: u8) -> Vec<NodeId> {
    (0..count).map(|seed| NodeId([seed; 32])).collect()
}

fn key(number: u32) -> Vec<u8> {
    format!("sha256:{number}").into_bytes()
}

proptest! {
    #[test]
    fn all_nodes_agree_however_they_learnt_of_the_seeds(
        key in any::<Vec<u8>>(),
        seeds in btree_set(any::<[u8; 32]>(), 0..12),
        rotation in any::<usize>(),
    ) {
        let mut seeds: Vec<_> = seeds.into_iter().map(NodeId).collect();
        let ranked = owners(&key, &seeds);
        if !seeds.is_empty() {
            let middle = rotation % seeds.len();
            seeds.rotate_left(middle);
            seeds.push(seeds[0]);
        }
        prop_assert_eq!(&owners(&key, &seeds), &ranked);
        seeds.sort();
        seeds.dedup();
        let mut sorted = ranked;
        sorted.sort();
        prop_assert_eq!(sorted, seeds);
    }

    #[test]
    fn a_seed_that_leaves_changes_nothing_else(key in any::<Vec<u8>>(), leaver in 0u8..8) {
        let mut seeds = seeds(8);
        let mut ranked = owners(&key, &seeds);
        seeds.retain(|seed| *seed != NodeId([leaver; 32]));
        ranked.retain(|seed| *seed != NodeId([leaver; 32]));
        prop_assert_eq!(owners(&key, &seeds), ranked);
    }
}

#[test]
fn keys_are_spread_evenly() {
    const KEYS: u32 = 8000;
    let seeds = seeds(8);
    let mut owned: BTreeMap<NodeId, u32> = BTreeMap::new();
    let mut inherited: BTreeMap<NodeId, u32> = BTreeMap::new();
    for number in 0..KEYS {
        let ranked = owners(&key(number), &seeds);
        *owned.entry(ranked[0]).or_default() += 1;
        if ranked[0] == seeds[0] {
            *inherited.entry(ranked[1]).or_default() += 1;
        }
    }
    assert!(owned.values().all(|count| (900..1100).contains(count)), "{owned:?}");
    assert!(inherited.values().all(|count| (100..190).contains(count)), "{inherited:?}");
}
