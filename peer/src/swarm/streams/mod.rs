//! Streams of [`Protocol`]s between connected nodes.
//!
//! `libp2p-stream` does nearly this, but drops inbound streams that arrive faster than they are polled, opens one
//! stream at a time, and never forgets a closed connection.

mod handler;

use std::{
    collections::{HashMap, VecDeque},
    task::{Context, Poll, Waker},
};

use libp2p::{
    Multiaddr, PeerId, Stream,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
    },
};
use tokio::sync::oneshot;

use super::{OpenReason, Protocol};
use handler::Handler;

/// Where the outcome of opening a stream goes.
pub(super) type OpenReply = oneshot::Sender<Result<Stream, OpenReason>>;

/// A request to open a stream.
#[derive(Debug)]
pub(super) struct Open {
    protocol: Protocol,
    reply: OpenReply,
}

/// A stream that another node opened.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) peer: PeerId,
    pub(super) protocol: Protocol,
    pub(super) stream: Stream,
}

/// Opens streams on request, and reports those that others open.
#[derive(Default)]
pub(super) struct Behaviour {
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    /// Drained at each poll; grows by one for each command or handler event in between.
    pending: VecDeque<ToSwarm<Inbound, Open>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Opens a stream to a connected peer.
    pub(super) fn open(&mut self, peer: PeerId, protocol: Protocol, reply: OpenReply) {
        let Some(&connection) = self.connections.get(&peer).and_then(|open| open.last()) else {
            // The caller may have gone; then nobody wants to know.
            let _ = reply.send(Err(OpenReason::NotConnected));
            return;
        };
        self.pending.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Open { protocol, reply },
        });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Inbound;

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.connections.entry(peer_id).or_default().push(connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                if let Some(open) = self.connections.get_mut(&peer_id) {
                    open.retain(|&connection| connection != connection_id);
                    if open.is_empty() {
                        self.connections.remove(&peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _connection: ConnectionId,
        (protocol, stream): THandlerOutEvent<Self>,
    ) {
        self.pending.push_back(ToSwarm::GenerateEvent(Inbound { peer, protocol, stream }));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(next) = self.pending.pop_front() {
            return Poll::Ready(next);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
