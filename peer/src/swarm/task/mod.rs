//! The task that owns the swarm.

mod dial;
mod happened;
mod listen;

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    num::NonZeroU8,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    Swarm, gossipsub,
    swarm::{Config, ConnectionId},
};
use shoal_protocol::identity::NodeId;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use super::{
    PublishError, StartError, SwarmConfig, SwarmEvent,
    behaviour::Behaviour,
    bootstrap::Bootstrap,
    handle::{Command, Shared},
    outbox::Outbox,
    peer_table::PeerTable,
    transport::transport,
};
use crate::secure;
use listen::listen;

/// How often is looked at what is due.
const TICK: Duration = Duration::from_millis(250);
/// How often the table of known nodes is saved, when it changed.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// At the end, time for what was just said to reach the neighbours.
const FAREWELL: Duration = Duration::from_millis(300);
/// And then, time for connections to close.
const CLOSING: Duration = Duration::from_secs(2);

/// Each connection's node, and the address it was dialled at.
type Connections = HashMap<ConnectionId, (NodeId, Option<SocketAddr>)>;

/// Everything that the swarm is made of.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    outbox: Outbox,
    shared: Arc<Shared>,
    table: PeerTable,
    bootstrap: Bootstrap,
    target_connections: usize,
    connections: Connections,
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
            connections: Connections::new(),
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
                _ = tick.tick() => self.dial_due(),
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

    fn publish(&mut self, data: Vec<u8>) -> Result<(), PublishError> {
        match self.swarm.behaviour_mut().publish(data) {
            Ok(()) | Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Ok(()),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
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
        self.shared.connected().clear();
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
