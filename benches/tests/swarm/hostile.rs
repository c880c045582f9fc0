//! A neighbour that says anything at all: nothing panics, nothing grows without end, and the others still finish.

use proptest::prelude::*;
use shoal_protocol::{
    bitfield::Bitfield,
    digest::Digest,
    exchange::{Action, Distance, Exchange, ExchangeConfig, Members, PieceOutcome},
    geometry::Geometry,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    time::Timestamp,
    wire::{Channel, CloseReason, Message},
};

use shoal_benches::sim::world::{Setup, World, image};

use super::{LIMIT, everyone_completes};

/// What a hostile neighbour says; digests other than the world's stay as they are.
pub(crate) fn babble(digest: Digest) -> impl Strategy<Value = Message> {
    let channel = || (0u32..6).prop_map(Channel);
    let pieces = || prop::collection::vec(prop_oneof![9 => 0u32..64, 1 => any::<u32>()], 0..8);
    let digests = prop_oneof![3 => Just(digest), 1 => any::<[u8; 32]>().prop_map(Digest::Sha256)];
    let reason = prop::sample::select(vec![
        CloseReason::Done,
        CloseReason::NotHere,
        CloseReason::NotFound,
        CloseReason::Full,
        CloseReason::BadChain,
        CloseReason::Leaving,
    ]);
    prop_oneof![
        3 => (channel(), digests, any::<u32>(), any::<bool>()).prop_map(|(channel, digest, known_links, asks)| {
            Message::Hello { channel, digest, known_links, source: asks.then(image) }
        }),
        1 => (channel(), any::<u8>(), 0u32..70).prop_map(move |(channel, secret, first_link)| {
            Message::Chain { channel, update: invented_chain(digest, secret, first_link) }
        }),
        1 => (channel(), 0u32..70).prop_map(|(channel, len)| Message::Bitfield { channel, pieces: Bitfield::full(len) }),
        2 => (channel(), pieces()).prop_map(|(channel, pieces)| Message::Have { channel, pieces }),
        2 => (channel(), prop::option::of(0u32..70), pieces())
            .prop_map(|(channel, piece, have)| Message::Offer { channel, piece, have }),
        2 => (channel(), pieces()).prop_map(|(channel, pieces)| Message::Want { channel, pieces }),
        1 => (channel(), pieces()).prop_map(|(channel, pieces)| Message::DontHave { channel, pieces }),
        1 => (channel(), pieces()).prop_map(|(channel, pieces)| Message::Busy { channel, pieces }),
        1 => (channel(), pieces()).prop_map(|(channel, pieces)| Message::Cancel { channel, pieces }),
        1 => (channel(), reason).prop_map(|(channel, reason)| Message::Close { channel, reason }),
    ]
}

/// A chain that is signed well and says nothing true.
fn invented_chain(digest: Digest, secret: u8, first_link: u32) -> shoal_protocol::chain::ChainUpdate {
    let geometry = Geometry::for_blob(u64::from(secret) * 64 * 1024).expect("a small blob");
    let chain = shoal_protocol::chain::ChainBuilder::new(digest, geometry)
        .sign(&NodeKey::from_secret([secret; 32]), None);
    let update = chain.update_from(0).expect("the geometry at least");
    shoal_protocol::chain::ChainUpdate { first_link: first_link.saturating_sub(60), ..update }
}

fn anything() -> impl Strategy<Value = Vec<Message>> {
    prop::collection::vec(babble(World::new(Setup::default()).unwrap().digest()), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn others_finish_whatever_one_neighbour_says(babble in anything(), is_warm in any::<bool>()) {
        let setup = Setup { peers: 4, babble, holders: usize::from(is_warm), ..Setup::default() };
        let mut world = World::new(setup).unwrap();
        world.run(LIMIT);
        everyone_completes(&world);
        for (struck, fault) in &world.outcome().strikes {
            prop_assert_eq!(*struck, World::babbler(), "an honest node was struck for {:?}", fault);
        }
    }
}

/// Channels, hellos that wait and pieces no longer wanted, as a neighbour can make them grow.
#[test]
fn a_flood_leaves_a_node_no_larger() {
    let node = |secret| NodeKey::from_secret([secret; 32]).node_id();
    let mut exchange = Exchange::new(ExchangeConfig::new(node(1), false, 1), ClusterKey::from_root([7; 32]));
    exchange.handle_connected(Timestamp::ZERO, node(2), Distance::Near);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut sizes = Vec::new();
    for round in 0..4u64 {
        for step in 0..2_000u64 {
            let now = Timestamp::from_micros((round * 2_000 + step) * 1_000);
            flood(&mut exchange, now, node(2), &mut rng);
        }
        sizes.push(format!("{exchange:?}").len());
    }
    assert!(sizes[3] <= sizes[1] * 11 / 10, "{sizes:?}");
}

fn flood(exchange: &mut Exchange, now: Timestamp, from: NodeId, rng: &mut fastrand::Rng) {
    let digest = Digest::Sha256(rng.u128(..).to_be_bytes().repeat(2).try_into().expect("32 bytes"));
    let channel = Channel(rng.u32(..));
    exchange.handle_message(
        now,
        from,
        Message::Hello { channel, digest, known_links: 1, source: Some(image()) },
    );
    if rng.bool() {
        exchange.handle_fetch(now, digest, image(), Members { seeds: vec![from], ..Members::default() });
    }
    if rng.bool() {
        exchange.handle_message(now, from, Message::Close { channel, reason: CloseReason::Full });
    }
    if exchange.handle_piece_start(now, from, channel, rng.u32(..4), 1).is_ok() {
        exchange.handle_piece(now, from, digest, 0, PieceOutcome::Lost);
    }
    exchange.handle_timeout(now);
    while let Some(action) = exchange.poll_action() {
        if let Action::Lookup { digest, .. } = action
            && rng.u8(..4) > 0
        {
            exchange.handle_absent(&digest, CloseReason::NotHere);
        }
    }
}
