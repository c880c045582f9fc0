//! A node: the real machine, and what stands for its disk, its lanes and its runtime.

use std::collections::{HashMap, VecDeque};

use shoal_protocol::{
    chain::ChainBuilder,
    digest::Digest,
    exchange::{Exchange, ExchangeConfig},
    geometry::PieceIndex,
    identity::{NodeId, NodeKey},
    time::Timestamp,
    wire::Channel,
};

use super::{
    Truth, Vice,
    hash::Map,
    links::{FlowId, PortId},
};

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) key: NodeKey,
    pub(super) config: ExchangeConfig,
    pub(super) exchange: Exchange,
    pub(super) vice: Option<Vice>,
    pub(super) has_bug: bool,
    pub(super) is_alive: bool,
    /// Counts restarts, so that what was under way before one is lost.
    pub(super) life: u32,
    /// Chains being made, by blob.
    pub(super) builders: HashMap<usize, ChainBuilder>,
    pub(super) uplink: PortId,
    pub(super) downlink: PortId,
    pub(super) next_tick: Option<Timestamp>,
    /// What is on disk, by blob and piece.
    pub(super) stored: Vec<Vec<Option<Truth>>>,
    /// Nodes that there is a control stream to, in order.
    pub(super) connected: Vec<usize>,
    /// Ways to other nodes, by their number.
    pub(super) lanes: Map<usize, Lane>,
    /// Pieces on their way out or waiting for it.
    pub(super) uploads: usize,
    pub(super) reading: Option<(PieceIndex, Timestamp)>,
}

/// Pieces go one after the other.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) is_open: bool,
    pub(super) waiting: VecDeque<Job>,
    pub(super) sending: Option<(FlowId, Job)>,
}

/// A piece that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) digest: Digest,
    pub(super) channel: Channel,
    pub(super) piece: PieceIndex,
    pub(super) truth: Truth,
}

impl Node {
    pub(super) fn is_connected(&self, other: usize) -> bool {
        self.connected.binary_search(&other).is_ok()
    }

    pub(super) fn connect(&mut self, other: usize) {
        if let Err(place) = self.connected.binary_search(&other) {
            self.connected.insert(place, other);
        }
    }

    pub(super) fn disconnect(&mut self, other: usize) {
        self.connected.retain(|known| *known != other);
    }

    /// True when every piece of a blob is here, and true.
    pub(super) fn has_all(&self, blob: usize) -> bool {
        self.stored[blob].iter().all(|piece| *piece == Some(Truth::Real))
    }
}
