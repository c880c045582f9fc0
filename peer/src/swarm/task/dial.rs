//! Whom to connect to, and what follows when that fails.

use std::net::SocketAddr;

use libp2p::{
    PeerId,
    swarm::{
        DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use shoal_protocol::identity::NodeId;
use tokio::sync::oneshot;

use super::{
    super::{
        address::{from_multiaddr, to_multiaddr},
        bootstrap::Found,
    },
    Connections, Task,
};
use crate::secure;

/// Known nodes dialled at a time when there are too few connections.
const DIALS_AT_ONCE: usize = 4;
/// A node has few addresses that lead to itself, and no use for more of them than this.
const MAX_OWN_ADDRESSES: usize = 64;
/// Requests to connect to one node that wait at a time.
const MAX_WAITING_FOR_ONE: usize = 256;

impl Task {
    /// Looks up and dials what is due, while there are too few connections.
    pub(super) fn dial_due(&mut self) {
        self.bootstrap.start_due();
        let missing = self.target_connections.saturating_sub(self.shared.connected().len());
        if missing == 0 {
            return;
        }
        let connected = self.shared.connected().clone();
        for node in self.table.due(missing.min(DIALS_AT_ONCE), |node| !connected.contains(node)) {
            self.dial_node(node, self.table.addresses(&node).to_vec());
        }
    }

    /// A look-up has ended.
    pub(super) fn handle_found(&mut self, found: Found) {
        let own = &self.own_addresses;
        let connections = &self.connections;
        let connected = |address: &SocketAddr| is_connected(connections, address);
        let addresses = self.bootstrap.handle_found(found, |address| own.contains(address), connected);
        addresses.into_iter().for_each(|address| self.dial_address(address));
    }

    /// Dials `node` at `addresses`, unless it is connected or being dialled.
    pub(super) fn dial_node(&mut self, node: NodeId, addresses: Vec<SocketAddr>) {
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

    /// Dials `node`, and replies when it is connected; the reply is dropped when it can't be.
    pub(super) fn reach(&mut self, node: NodeId, addresses: Vec<SocketAddr>, reply: oneshot::Sender<()>) {
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

    /// Dials whoever is at `address`.
    pub(super) fn dial_address(&mut self, address: SocketAddr) {
        if self.own_addresses.contains(&address) || is_connected(&self.connections, &address) {
            return;
        }
        let options = DialOpts::unknown_peer_id().address(to_multiaddr(address)).allocate_new_port().build();
        if let Err(error) = self.swarm.dial(options) {
            self.handle_dial_error(None, &error);
        }
    }

    /// A dial failed.
    pub(super) fn handle_dial_error(&mut self, peer: Option<PeerId>, error: &DialError) {
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
}

fn is_connected(connections: &Connections, address: &SocketAddr) -> bool {
    connections.values().any(|(_, dialled)| dialled.as_ref() == Some(address))
}

/// An error with its causes, each said once: libp2p's outer ones say nothing themselves.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !text.is_empty() && !said.last().is_some_and(|last| last.ends_with(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

/// One line, where libp2p writes several.
fn describe(error: &DialError) -> String {
    match error {
        DialError::Transport(attempts) => {
            let each: Vec<_> =
                attempts.iter().map(|(address, error)| format!("{address}: {}", causes(error))).collect();
            each.join("; ")
        }
        other => other.to_string(),
    }
}
