//! The neighbours: their control streams, and what became of them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use shoal_protocol::{exchange::Fault, identity::NodeId, wire::Message};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::Task;
use crate::{
    exchange::{
        control::{self, MAX_OUTBOX},
        event::ControlOutbox,
    },
    swarm::BoxStream,
};

/// A node with that many strikes is left alone.
const MAX_STRIKES: u32 = 3;
/// For so long; then its strikes are forgotten too.
const BAN: Duration = Duration::from_secs(600);
/// Nodes with strikes that are remembered at a time.
const MAX_STRUCK: usize = 4096;
/// At the end: for goodbyes to be written.
const FAREWELL: Duration = Duration::from_millis(500);

/// Everyone we have control streams with, or want to.
#[derive(Default)]
pub(super) struct Neighbours {
    open: HashMap<NodeId, Neighbour>,
    opening: HashSet<NodeId>,
    /// Streams of neighbours whose messages are read as soon as ours to them is open.
    early: HashMap<NodeId, BoxStream>,
    struck: HashMap<NodeId, (u32, Instant)>,
    next_epoch: u64,
    writers: JoinSet<()>,
}

struct Neighbour {
    /// Tells events of this connection from those of an earlier one.
    epoch: u64,
    outbox: ControlOutbox,
    reader: Option<AbortHandle>,
}

impl Neighbours {
    pub(super) fn is_banned(&self, node: &NodeId) -> bool {
        self.struck.get(node).is_some_and(|(strikes, last)| *strikes >= MAX_STRIKES && last.elapsed() < BAN)
    }

    /// Lets the writers finish what they have, for a short time.
    pub(super) async fn close(&mut self) {
        for neighbour in std::mem::take(&mut self.open).into_values() {
            if let Some(reader) = neighbour.reader {
                reader.abort();
            }
        }
        let written = async { while self.writers.join_next().await.is_some() {} };
        // Whoever does not take a goodbye in time notices the closed connection.
        let _ = tokio::time::timeout(FAREWELL, written).await;
    }
}

impl Task {
    pub(super) fn connect(&mut self, node: NodeId) {
        if self.neighbours.is_banned(&node) {
            return self.machine.handle_connect_failed(self.shared.clock.now(), node);
        }
        let is_known = self.neighbours.open.contains_key(&node);
        if !is_known && self.neighbours.opening.insert(node) {
            self.children.spawn(control::open(Arc::clone(&self.shared), node, self.events.clone()));
        }
    }

    pub(super) fn on_control_opened(&mut self, node: NodeId, stream: Option<BoxStream>) {
        self.neighbours.opening.remove(&node);
        let early = self.neighbours.early.remove(&node);
        let Some(stream) = stream else {
            return self.machine.handle_connect_failed(self.shared.clock.now(), node);
        };
        let (outbox, waiting) = mpsc::channel(MAX_OUTBOX);
        self.neighbours.next_epoch += 1;
        let epoch = self.neighbours.next_epoch;
        while self.neighbours.writers.try_join_next().is_some() {}
        self.neighbours.writers.spawn(control::write(node, epoch, stream, waiting, self.events.clone()));
        self.neighbours.open.insert(node, Neighbour { epoch, outbox, reader: None });
        let distance = self.shared.inventory.distance(&node);
        self.machine.handle_connected(self.shared.clock.now(), node, distance);
        if let Some(early) = early {
            self.read_from(node, early);
        }
    }

    /// A neighbour opened its stream to us: ours to it comes first, since its messages want answers.
    pub(super) fn on_control_stream(&mut self, from: NodeId, stream: BoxStream) {
        if self.neighbours.is_banned(&from) {
            return;
        }
        let has_reader = self.neighbours.open.get(&from).map(|neighbour| neighbour.reader.is_some());
        match has_reader {
            Some(false) => self.read_from(from, stream),
            // It began anew, and what it knew of us is gone.
            Some(true) => {
                self.drop_neighbour(from);
                self.neighbours.early.insert(from, stream);
                self.connect(from);
            }
            None => {
                self.neighbours.early.insert(from, stream);
                self.connect(from);
            }
        }
    }

    fn read_from(&mut self, from: NodeId, stream: BoxStream) {
        let Some(neighbour) = self.neighbours.open.get_mut(&from) else { return };
        let reading = control::read(from, neighbour.epoch, stream, self.events.clone());
        neighbour.reader = Some(self.children.spawn(reading));
    }

    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        let Some(neighbour) = self.neighbours.open.get(&to) else { return };
        if neighbour.outbox.try_send(message).is_err() {
            tracing::debug!(%to, "does not take messages as fast as they come, dropping it");
            self.drop_neighbour(to);
        }
    }

    pub(super) fn on_message(&mut self, from: NodeId, epoch: u64, message: Message) {
        if self.neighbours.open.get(&from).is_some_and(|neighbour| neighbour.epoch == epoch) {
            self.machine.handle_message(self.shared.clock.now(), from, message);
        }
    }

    pub(super) fn on_control_closed(&mut self, node: NodeId, epoch: u64) {
        if self.neighbours.open.get(&node).is_some_and(|neighbour| neighbour.epoch == epoch) {
            self.drop_neighbour(node);
        }
    }

    pub(super) fn on_disconnected(&mut self, node: NodeId) {
        self.neighbours.early.remove(&node);
        self.drop_neighbour(node);
        self.renew_members();
    }

    fn drop_neighbour(&mut self, node: NodeId) {
        if let Some(neighbour) = self.neighbours.open.remove(&node) {
            if let Some(reader) = neighbour.reader {
                reader.abort();
            }
            // What waits to be sent is reported as not sent, and then the uploader ends.
            self.uploaders.remove(&node);
            self.machine.handle_disconnected(self.shared.clock.now(), node);
        }
    }

    /// A neighbour broke a rule. After the third time it is left alone for a while.
    pub(super) fn strike(&mut self, node: NodeId, fault: Fault) {
        self.shared.metrics.strike(label(fault));
        let struck = &mut self.neighbours.struck;
        if struck.len() >= MAX_STRUCK {
            struck.retain(|_, (_, last)| last.elapsed() < BAN);
        }
        if struck.len() >= MAX_STRUCK && !struck.contains_key(&node) {
            return;
        }
        let (strikes, last) = struck.entry(node).or_insert((0, Instant::now()));
        if last.elapsed() >= BAN {
            *strikes = 0;
        }
        (*strikes, *last) = (*strikes + 1, Instant::now());
        let strikes = *strikes;
        tracing::warn!(%node, %fault, strikes, "a neighbour broke a rule");
        if strikes >= MAX_STRIKES {
            tracing::warn!(%node, "is left alone for ten minutes");
            self.drop_neighbour(node);
            let swarm = self.shared.swarm.clone();
            self.children.spawn(async move { swarm.disconnect(node).await });
        }
    }
}

const fn label(fault: Fault) -> &'static str {
    match fault {
        Fault::UnknownChannel => "unknown_channel",
        Fault::TooManyChannels => "too_many_channels",
        Fault::NoSuchPiece => "no_such_piece",
        Fault::InvalidChain => "invalid_chain",
        Fault::FalseChain => "false_chain",
        Fault::CorruptPiece => "corrupt_piece",
        Fault::UnaskedPiece => "unasked_piece",
        Fault::Malformed => "malformed",
        Fault::Forged => "forged",
    }
}
