//! The task that owns the swarm.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    num::NonZeroU8,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    PeerId, Swarm,
    core::ConnectedPoint,
    gossipsub,
    swarm::{
        Config, ConnectionId, DialError, SwarmEvent as Happened,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use shoal_protocol::identity::NodeId;
use socket2::{Domain, Socket, Type};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{
    PublishError, StartError, SwarmConfig, SwarmEvent,
    address::{from_multiaddr, is_dialable, to_multiaddr},
    behaviour::{Behaviour, BehaviourEvent},
    bootstrap::{Bootstrap, Found},
    handle::{Command, Shared},
    outbox::Outbox,
    peer_table::PeerTable,
    streams::Inbound,
    transport::transport,
};
use crate::secure;

/// How often is looked at what is due.
const TICK: Duration = Duration::from_millis(250);
/// How often the table of known nodes is saved, when it changed.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Known nodes dialled at one tick.
const DIALS_PER_TICK: usize = 4;
/// A node has few addresses that lead to itself; more are somebody's mischief.
const MAX_OWN_ADDRESSES: usize = 64;
/// Requests to connect to one node that wait at a time.
const MAX_WAITING_FOR_ONE: usize = 256;
/// At the end: for what was just said to reach the neighbours, and for connections to close.
const FAREWELL: Duration = Duration::from_millis(300);
const CLOSING: Duration = Duration::from_secs(2);

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    outbox: Outbox,
    shared: Arc<Shared>,
    table: PeerTable,
    bootstrap: Bootstrap,
    target_connections: usize,
    /// Each connection's node, and the address it was dialled at.
    connections: HashMap<ConnectionId, (NodeId, Option<SocketAddr>)>,
    own_addresses: HashSet<SocketAddr>,
    /// Who waits for a node to be connected.
    reaching: HashMap<NodeId, Vec<oneshot::Sender<()>>>,
}

impl Task {
    /// Binds everything; nothing runs yet.
    pub(super) fn new(
        config: SwarmConfig,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<SwarmEvent>,
        shared: Arc<Shared>,
    ) -> Result<Self, StartError> {
        let bootstrap = Bootstrap::new(config.bootstrap)?;
        let me = config.credentials.node_id();
        let keypair = secure::keypair(config.credentials.key())
            .ok_or_else(|| StartError::Setup("libp2p refuses the node's key".to_owned()))?;
        let peer = keypair.public().to_peer_id();
        let behaviour = Behaviour::new(keypair, config.max_connections)?;
        // Connections stay: finding a node again costs more than keeping it.
        let swarm_config = Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::MAX)
            .with_dial_concurrency_factor(NonZeroU8::MIN.saturating_add(3));
        let mut swarm = Swarm::new(transport(config.credentials), behaviour, peer, swarm_config);
        for address in config.listen {
            listen(&mut swarm, address)?;
        }
        Ok(Self {
            swarm,
            commands,
            outbox: Outbox::new(events, Arc::clone(&shared.counters)),
            shared,
            table: PeerTable::load(me, config.peer_table),
            bootstrap,
            target_connections: config.target_connections,
            connections: HashMap::new(),
            own_addresses: HashSet::new(),
            reaching: HashMap::new(),
        })
    }

    /// Runs until a handle says stop, or none is left.
    pub(super) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save = interval(SAVE_EVERY);
        let done = loop {
            tokio::select! {
                happened = self.swarm.select_next_some() => self.handle_happened(happened),
                command = self.commands.recv() => match command {
                    Some(Command::Stop { done }) => break Some(done),
                    Some(command) => self.handle_command(command),
                    None => break None,
                },
                found = self.bootstrap.next_found() => self.handle_found(found),
                _ = tick.tick() => self.handle_tick(),
                _ = save.tick() => drop(self.save_table()),
                () = self.outbox.drain() => {}
            }
        };
        self.stop(done).await;
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Dial { node: Some(node), addresses } => {
                self.table.learn(node, &addresses);
                self.dial_node(node, addresses);
            }
            Command::Dial { node: None, addresses } => {
                addresses.into_iter().for_each(|address| self.dial_address(address));
            }
            Command::Reach { node, addresses, reply } => self.reach(node, addresses, reply),
            Command::Learn { node, addresses } => self.table.learn(node, &addresses),
            Command::Disconnect { node } => {
                // An error means that it is not connected, which is what was asked for.
                let _ = secure::peer_id(&node).map(|peer| self.swarm.disconnect_peer_id(peer));
            }
            Command::Publish { data, reply } => {
                let _ = reply.send(self.publish(data));
            }
            Command::Open { node, protocol, reply } => {
                if let Some(peer) = secure::peer_id(&node) {
                    self.swarm.behaviour_mut().streams.open(peer, protocol, reply);
                }
            }
            Command::Stop { .. } => {}
        }
    }

    fn reach(&mut self, node: NodeId, addresses: Vec<SocketAddr>, reply: oneshot::Sender<()>) {
        if self.shared.connected().contains(&node) {
            // An error means that the asker has given up.
            let _ = reply.send(());
            return;
        }
        let waiting = self.reaching.entry(node).or_default();
        waiting.retain(|other| !other.is_closed());
        if waiting.len() < MAX_WAITING_FOR_ONE {
            waiting.push(reply);
        }
        self.table.learn(node, &addresses);
        self.dial_node(node, addresses);
    }

    fn publish(&mut self, data: Vec<u8>) -> Result<(), PublishError> {
        match self.swarm.behaviour_mut().publish(data) {
            Ok(()) | Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Ok(()),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
    }

    fn dial_node(&mut self, node: NodeId, addresses: Vec<SocketAddr>) {
        let Some(peer) = secure::peer_id(&node).filter(|peer| peer != self.swarm.local_peer_id()) else {
            return;
        };
        let addresses = addresses.into_iter().map(to_multiaddr).collect();
        let options = DialOpts::peer_id(peer)
            .addresses(addresses)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            self.handle_dial_error(Some(peer), &error);
        }
    }

    fn dial_address(&mut self, address: SocketAddr) {
        if self.own_addresses.contains(&address) || self.is_address_connected(&address) {
            return;
        }
        let options = DialOpts::unknown_peer_id().address(to_multiaddr(address)).allocate_new_port().build();
        if let Err(error) = self.swarm.dial(options) {
            self.handle_dial_error(None, &error);
        }
    }

    fn handle_tick(&mut self) {
        self.bootstrap.start_due();
        let connected = self.shared.connected().clone();
        let missing = self.target_connections.saturating_sub(connected.len());
        for node in self.table.due(missing.min(DIALS_PER_TICK), |node| !connected.contains(node)) {
            self.dial_node(node, self.table.addresses(&node).to_vec());
        }
    }

    fn handle_found(&mut self, found: Found) {
        let own = &self.own_addresses;
        let connections = &self.connections;
        let connected = |address: &SocketAddr| is_connected(connections, address);
        let addresses = self.bootstrap.handle_found(found, |address| own.contains(address), connected);
        addresses.into_iter().for_each(|address| self.dial_address(address));
    }

    fn handle_happened(&mut self, happened: Happened<BehaviourEvent>) {
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
        for reply in self.reaching.remove(&node).unwrap_or_default() {
            let _ = reply.send(());
        }
        if count == 1 {
            self.shared.connected().insert(node);
            self.outbox.push(SwarmEvent::Connected { node });
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

    fn handle_dial_error(&mut self, peer: Option<PeerId>, error: &DialError) {
        match error {
            DialError::LocalPeerId { address } => {
                if self.own_addresses.len() < MAX_OWN_ADDRESSES {
                    self.own_addresses.extend(from_multiaddr(address));
                }
                return;
            }
            DialError::DialPeerConditionFalse(_) => return,
            _ => {}
        }
        let reason = describe(error);
        match peer.as_ref().and_then(secure::node_id) {
            Some(node) => {
                self.table.failed(node, self.connections.is_empty());
                self.reaching.remove(&node);
                tracing::debug!(%node, reason, "cannot connect");
            }
            None => tracing::warn!(reason, "cannot connect to a bootstrap node, will retry"),
        }
    }

    fn handle_listening(&mut self, address: &libp2p::Multiaddr) {
        if let Some(address) = from_multiaddr(address).filter(is_dialable) {
            self.own_addresses.insert(address);
            self.outbox.push(SwarmEvent::Listening { address });
        }
    }

    fn is_address_connected(&self, address: &SocketAddr) -> bool {
        is_connected(&self.connections, address)
    }

    /// Starts to save the table when it changed.
    fn save_table(&mut self) -> Option<JoinHandle<()>> {
        let save = self.table.take_save()?;
        Some(spawn_blocking(|| {
            if let Err(error) = save.write() {
                tracing::warn!(%error, "cannot save the table of known nodes");
            }
        }))
    }

    async fn stop(mut self, done: Option<oneshot::Sender<()>>) {
        let saving = self.save_table();
        self.commands.close();
        self.poll_until(Instant::now() + FAREWELL, |_| false).await;
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that it has gone meanwhile.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        self.poll_until(Instant::now() + CLOSING, |swarm| swarm.connected_peers().next().is_none()).await;
        if let Some(saving) = saving {
            // An error means that writing panicked, which is in the log already.
            let _ = saving.await;
        }
        // Whoever waits may bind the same addresses next.
        drop(self);
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    async fn poll_until(&mut self, deadline: Instant, finished: impl Fn(&Swarm<Behaviour>) -> bool) {
        while !finished(&self.swarm) && timeout_at(deadline, self.swarm.next()).await.is_ok() {}
    }
}

/// libp2p shares the port with any process of the same user that does too, and each gets some of the connections; a
/// plain socket first finds out whether the port is taken.
fn listen(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<(), StartError> {
    let failed = |source| StartError::Listen { address, source };
    probe(address).map_err(failed)?;
    match swarm.listen_on(to_multiaddr(address)) {
        Ok(_) => Ok(()),
        Err(libp2p::TransportError::Other(source)) => Err(failed(source)),
        Err(error) => Err(StartError::Setup(error.to_string())),
    }
}

fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // As libp2p does it: the wildcard of one family leaves the other's free.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn is_connected(
    connections: &HashMap<ConnectionId, (NodeId, Option<SocketAddr>)>,
    address: &SocketAddr,
) -> bool {
    connections.values().any(|(_, dialled)| dialled.as_ref() == Some(address))
}

/// One line, where libp2p writes several.
fn describe(error: &DialError) -> String {
    match error {
        DialError::Transport(attempts) => {
            let each: Vec<_> =
                attempts.iter().map(|(address, error)| format!("{address}: {error}")).collect();
            each.join("; ")
        }
        other => other.to_string(),
    }
}
