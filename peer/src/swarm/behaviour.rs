//! What runs on every connection: limits, gossip on one topic, and streams.

use std::collections::HashSet;

use libp2p::{
    connection_limits::{self, ConnectionLimits},
    gossipsub::{
        self, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity,
        ValidationMode, WhitelistSubscriptionFilter,
    },
    identity::Keypair,
    swarm::NetworkBehaviour,
};
use shoal_protocol::{bounds::MAX_ANNOUNCEMENT_BYTES, wire::INVENTORY_TOPIC};

use super::{StartError, streams};

/// Room for a message's author, number, topic and signature.
const ENVELOPE_BYTES: usize = 1024;
/// Messages that may wait for one slow neighbour: what it misses comes with its next snapshot.
const QUEUE_PER_PEER: usize = 256;
/// Handshakes under way from outside: several hundred nodes may start within the same second.
const MAX_PENDING_INCOMING: u32 = 256;
/// Dials under way.
const MAX_PENDING_OUTGOING: u32 = 64;
/// Two nodes that dial each other at once end up with two.
const MAX_CONNECTIONS_PER_PEER: u32 = 2;

type Gossip =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>>;

/// The parts, in the order in which they may refuse a connection.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    gossip: Gossip,
    pub(super) streams: streams::Behaviour,
}

impl Behaviour {
    /// The behaviour of the node with that key.
    pub(super) fn new(keypair: Keypair, max_connections: u32) -> Result<Self, StartError> {
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_pending_outgoing(Some(MAX_PENDING_OUTGOING))
            .with_max_established(Some(max_connections))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER));
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            gossip: gossip(keypair).map_err(StartError::Setup)?,
            streams: streams::Behaviour::default(),
        })
    }

    /// Gossips `data` to everyone.
    pub(super) fn publish(&mut self, data: Vec<u8>) -> Result<(), gossipsub::PublishError> {
        self.gossip.publish(topic(), data).map(drop)
    }
}

fn topic() -> IdentTopic {
    IdentTopic::new(INVENTORY_TOPIC)
}

/// Messages are told apart by author and number, which is gossipsub's default.
fn gossip(keypair: Keypair) -> Result<Gossip, String> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .max_transmit_size(MAX_ANNOUNCEMENT_BYTES + ENVELOPE_BYTES)
        .connection_handler_queue_len(QUEUE_PER_PEER)
        // A seed with a thousand neighbours would send each of its messages a thousand times.
        .flood_publish(false)
        // Each copy of a message has its signature checked. Four neighbours reach everyone, and what gets lost is asked
        // for: the usual six to twelve cost twice the processor time.
        .mesh_n(4)
        .mesh_n_low(3)
        .mesh_n_high(6)
        .gossip_lazy(3)
        .build()
        .map_err(|error| error.to_string())?;
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(HashSet::from([topic().hash()])),
        max_subscribed_topics: 1,
        max_subscriptions_per_request: 4,
    };
    let mut gossip =
        Gossip::new_with_subscription_filter(MessageAuthenticity::Signed(keypair), config, filter)
            .map_err(str::to_owned)?;
    gossip.subscribe(&topic()).map_err(|error| error.to_string())?;
    Ok(gossip)
}
