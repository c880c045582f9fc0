//! Hands what comes from the swarm to whom it concerns.

use tokio::sync::mpsc;

use crate::{
    exchange::ExchangeHandle,
    inventory::InventoryHandle,
    lane::LaneGate,
    query::QueryServer,
    swarm::{Protocol, SwarmEvent},
};

/// Knows whom each event concerns.
pub(super) struct Dispatcher {
    pub(super) inventory: InventoryHandle,
    pub(super) exchange: ExchangeHandle,
    pub(super) queries: QueryServer,
    pub(super) gate: LaneGate,
}

impl Dispatcher {
    /// Dispatches what came `early`, and then everything until the swarm stops.
    pub(super) async fn run(self, early: Vec<SwarmEvent>, mut events: mpsc::Receiver<SwarmEvent>) {
        for event in early {
            self.dispatch(event).await;
        }
        while let Some(event) = events.recv().await {
            self.dispatch(event).await;
        }
    }

    async fn dispatch(&self, event: SwarmEvent) {
        match event {
            SwarmEvent::Connected { node } => self.inventory.handle_connected(node),
            SwarmEvent::Disconnected { node } => {
                self.inventory.handle_disconnected(node);
                self.exchange.handle_disconnected(node).await;
            }
            SwarmEvent::Gossip { from, data } => {
                if let Err(fault) = self.inventory.handle_gossip(from, data).await {
                    self.exchange.handle_fault(from, fault).await;
                }
            }
            SwarmEvent::Stream { from, protocol: Protocol::Control, stream } => {
                self.exchange.handle_control(from, stream).await;
            }
            SwarmEvent::Stream { from, protocol: Protocol::Query, stream } => {
                self.queries.serve(from, stream);
            }
            SwarmEvent::Stream { from, protocol: Protocol::Lane, stream } => {
                match self.gate.admit(from, stream) {
                    Ok(lane) => self.exchange.handle_lane(lane).await,
                    Err(error) => tracing::debug!(%from, %error, "refused a lane"),
                }
            }
            SwarmEvent::Listening { .. } => {}
        }
    }
}
