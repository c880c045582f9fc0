//! A sender alone, without links, in the time that it asks for itself.

use std::time::Duration;

use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::{Algorithm, Digest},
    exchange::{Action, Distance, Exchange, ExchangeConfig},
    geometry::Geometry,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    time::Timestamp,
    wire::{Channel, Message},
};

use shoal_benches::sim::world::PIECE_BYTES;

/// Few enough pieces that a sender has two slots, and agrees on one transfer more.
const PIECES: u32 = 8;
const TRANSFERS: u8 = 3;
/// Each neighbour numbers the blob so.
const THEIRS: Channel = Channel(1);

struct Holder {
    exchange: Exchange,
    digest: Digest,
    now: Timestamp,
}

impl Holder {
    fn new() -> Self {
        let chain = chain();
        let config = ExchangeConfig::new(NodeId([0; 32]), false, 5);
        let mut exchange = Exchange::new(config, ClusterKey::from_root([9; 32]));
        let digest = *chain.digest();
        exchange.handle_hold(Timestamp::ZERO, digest, chain);
        Self { exchange, digest, now: Timestamp::ZERO }
    }

    /// Somebody who has nothing yet.
    fn meet(&mut self, node: NodeId) {
        self.exchange.handle_connected(self.now, node, Distance::Near);
        let hello = Message::Hello { channel: THEIRS, digest: self.digest, known_links: 0, source: None };
        self.exchange.handle_message(self.now, node, hello);
    }

    /// Who is offered something now.
    fn offers(&mut self) -> Vec<NodeId> {
        let actions = std::iter::from_fn(|| self.exchange.poll_action());
        let offered = actions.filter_map(|action| match action {
            Action::Send { to, message: Message::Offer { .. } } => Some(to),
            _ => None,
        });
        offered.collect()
    }

    /// Takes an offer, and then nothing of the piece.
    fn hold_up(&mut self, node: NodeId, piece: u32) {
        let want = Message::Want { channel: THEIRS, pieces: vec![piece] };
        self.exchange.handle_message(self.now, node, want);
    }

    /// When that node is offered something, with the machine called only when it asks for that.
    fn offers_to(&mut self, node: NodeId) -> Duration {
        while !self.offers().contains(&node) {
            self.now = self.exchange.poll_timeout().expect("a holder with neighbours has timers");
            self.exchange.handle_timeout(self.now);
        }
        Duration::from_micros(self.now.as_micros())
    }
}

fn chain() -> Chain {
    let piece = vec![7; PIECE_BYTES as usize];
    let content = piece.repeat(PIECES as usize);
    let geometry = Geometry::new(content.len() as u64, PIECE_BYTES as u32).unwrap();
    let mut builder = ChainBuilder::new(Digest::of(Algorithm::Sha256, &content), geometry);
    (0..PIECES).for_each(|_| builder.push(&piece).unwrap());
    builder.sign(&NodeKey::from_secret([99; 32]), None)
}

#[test]
fn receivers_that_hold_up_every_slot_keep_nobody_else_waiting_for_long() {
    let mut holder = Holder::new();
    let dead: Vec<NodeId> = (1..=TRANSFERS).map(|number| NodeId([number; 32])).collect();
    dead.iter().for_each(|node| holder.meet(*node));
    assert_eq!(holder.offers(), dead);
    for (piece, node) in (0..).zip(dead) {
        holder.hold_up(node, piece);
    }
    let living = NodeId([100; 32]);
    holder.meet(living);
    assert_eq!(holder.offers(), [], "no slot is free yet");
    // None has ended yet, so the first ones are slow when an offer would be.
    let patience = ExchangeConfig::new(living, false, 1).offer_timeout;
    assert_eq!(holder.offers_to(living), patience);
}
