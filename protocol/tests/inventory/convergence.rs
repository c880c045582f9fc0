//! Whatever is lost, repeated or late: once the network is good again, all know the truth.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use shoal_protocol::wire::Holding;

use crate::{
    node::id,
    world::{Network, World},
};

#[derive(Clone, Debug)]
enum Event {
    Change { node: usize, blob: u8, holding: Option<Holding> },
    Restart { node: usize },
    Connect { node: usize, other: usize },
    Suspect { node: usize, other: usize },
    Wait { milliseconds: u64 },
}

const NODES: u8 = 5;

fn event() -> impl Strategy<Value = Event> {
    let node = || 0..usize::from(NODES);
    let holding = proptest::sample::select(vec![None, Some(Holding::Holds), Some(Holding::Fetching)]);
    prop_oneof![
        10 => (node(), 0u8..30, holding)
            .prop_map(|(node, blob, holding)| Event::Change { node, blob, holding }),
        1 => node().prop_map(|node| Event::Restart { node }),
        2 => (node(), node()).prop_map(|(node, other)| Event::Connect { node, other }),
        1 => (node(), node()).prop_map(|(node, other)| Event::Suspect { node, other }),
        5 => (1u64..3000).prop_map(|milliseconds| Event::Wait { milliseconds }),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match *event {
        Event::Change { node, blob, holding } => world.set(node, blob, holding),
        Event::Restart { node } => world.restart(node),
        Event::Connect { node, other } => world.connect(node, other),
        Event::Suspect { node, other } => {
            let other = id(u8::try_from(other).unwrap());
            world.nodes[node].suspect(other);
        }
        Event::Wait { milliseconds } => world.run_for(Duration::from_millis(milliseconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn all_learn_the_truth(events in vec(event(), 1..80), seed in any::<u64>()) {
        let mut world = World::new(NODES, Network::BAD, seed);
        events.iter().for_each(|event| happen(&mut world, event));
        world.network = Network::GOOD;
        world.run_for(Duration::from_secs(60));
        world.check_converged();
    }

    #[test]
    fn loss_alone_costs_time_but_not_truth(events in vec(event(), 1..40), seed in any::<u64>()) {
        let mut world = World::new(NODES, Network { lost: 15, ..Network::GOOD }, seed);
        events.iter().for_each(|event| happen(&mut world, event));
        world.run_for(Duration::from_secs(60));
        world.network.lost = 0;
        world.run_for(Duration::from_secs(10));
        world.check_converged();
    }
}

#[test]
fn a_good_network_needs_no_fetches() {
    let mut world = World::new(NODES, Network { longest_delay_ms: 1000, ..Network::GOOD }, 1);
    for round in 0..200 {
        let node = usize::from(round % NODES);
        world.set(node, round, Some(Holding::Fetching));
        world.run_for(Duration::from_millis(50));
        world.set(node, round, Some(Holding::Holds));
    }
    world.run_for(Duration::from_secs(10));
    world.check_converged();
    assert_eq!(world.fetches, 0, "late announcements are waited for");
}

#[test]
fn a_newcomer_knows_all_from_one_snapshot() {
    let mut world = World::new(NODES, Network::GOOD, 1);
    for node in 0..usize::from(NODES) {
        world.set(node, u8::try_from(node).unwrap(), Some(Holding::Holds));
    }
    world.run_for(Duration::from_secs(5));
    world.restart(0);
    assert_eq!(world.nodes[0].len_nodes(), 1);
    world.connect(0, 1);
    assert_eq!(world.nodes[0].len_nodes(), usize::from(NODES));
    assert_eq!(world.nodes[0].len_blobs(), usize::from(NODES) - 1);
    world.run_for(Duration::from_secs(10));
    world.check_converged();
    assert_eq!(world.fetches, 0, "the nodes' own hashes confirm the snapshot");
}
