//! What happens on the network, and what follows from it.

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    gossipsub,
    swarm::{ConnectionId, SwarmEvent as Happened},
};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{
    super::{
        SwarmEvent,
        address::{from_multiaddr, is_dialable},
        behaviour::BehaviourEvent,
        streams::Inbound,
    },
    Task,
};
use crate::secure;

impl Task {
    /// Takes in one event of libp2p.
    pub(super) fn handle_happened(&mut self, happened: Happened<BehaviourEvent>) {
        match happened {
            Happened::Behaviour(BehaviourEvent::Gossip(event)) => self.handle_gossip(event),
            Happened::Behaviour(BehaviourEvent::Streams(inbound)) => self.handle_stream(inbound),
            Happened::ConnectionEstablished { peer_id, connection_id, endpoint, num_established, .. } => {
                self.handle_connected(peer_id, connection_id, &endpoint, num_established.get());
            }
            Happened::ConnectionClosed { connection_id, num_established, cause, .. } => {
                tracing::debug!(?cause, "connection closed");
                self.handle_closed(connection_id, num_established);
            }
            Happened::OutgoingConnectionError { peer_id, error, .. } => {
                self.handle_dial_error(peer_id, &error);
            }
            Happened::IncomingConnectionError { send_back_addr, error, .. } => {
                self.shared.counters.count_refused_connection();
                tracing::debug!(from = %send_back_addr, %error, "refused a connection");
            }
            Happened::NewListenAddr { address, .. } => self.handle_listening(&address),
            Happened::ListenerError { error, .. } => tracing::warn!(%error, "accepting connections"),
            Happened::ListenerClosed { addresses, reason, .. } => {
                tracing::error!(?addresses, ?reason, "no longer listening");
            }
            _ => {}
        }
    }

    fn handle_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { message, .. } = event else { return };
        if let Some(from) = message.source.as_ref().and_then(secure::node_id) {
            self.outbox.push(SwarmEvent::Gossip { from, data: message.data.into() });
        }
    }

    fn handle_stream(&mut self, Inbound { peer, protocol, stream }: Inbound) {
        if let Some(from) = secure::node_id(&peer) {
            let stream = Box::new(stream.compat());
            self.outbox.push(SwarmEvent::Stream { from, protocol, stream });
        }
    }

    fn handle_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint, count: u32) {
        let Some(node) = secure::node_id(&peer) else { return };
        let dialled = match endpoint {
            ConnectedPoint::Dialer { address, .. } => from_multiaddr(address),
            ConnectedPoint::Listener { .. } => None,
        };
        self.connections.insert(id, (node, dialled));
        self.table.connected(node, dialled);
        if count == 1 {
            self.shared.connected().insert(node);
            self.outbox.push(SwarmEvent::Connected { node });
        }
        for reply in self.reaching.remove(&node).unwrap_or_default() {
            // An error means that the asker has given up.
            let _ = reply.send(());
        }
    }

    fn handle_closed(&mut self, id: ConnectionId, remaining: u32) {
        let Some((node, _)) = self.connections.remove(&id) else { return };
        if remaining == 0 {
            self.shared.connected().remove(&node);
            self.outbox.push(SwarmEvent::Disconnected { node });
        }
        if self.connections.is_empty() {
            self.bootstrap.handle_alone();
            self.table.handle_alone();
        }
    }

    fn handle_listening(&mut self, address: &Multiaddr) {
        if let Some(address) = from_multiaddr(address).filter(is_dialable) {
            self.own_addresses.insert(address);
            self.outbox.push(SwarmEvent::Listening { address });
        }
    }
}
