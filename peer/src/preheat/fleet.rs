//! The other nodes, as far as a job needs them.

use futures::future::BoxFuture;
use shoal_protocol::{
    identity::NodeId,
    wire::{PreheatOrder, PreheatProgress, Refusal},
};

/// A live node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub node: NodeId,
    /// Where it is; empty where nothing is said of it.
    pub zone: String,
}

/// Why a node says nothing of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// It can't be reached, or gives no answer.
    #[error("{0}")]
    NoAnswer(String),
    /// It has as many orders as it takes.
    #[error("it has as many orders as it takes")]
    Busy,
    /// It does not take orders.
    #[error("it takes no orders: it may run an older version, or be about to stop")]
    Refused,
}

impl From<Refusal> for Silence {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            _ => Self::Refused,
        }
    }
}

/// The nodes of the cluster. Every wait has a deadline.
pub trait Fleet: Send + Sync + 'static {
    /// This node.
    fn me(&self) -> NodeId;

    /// All live nodes, this one included.
    fn members(&self) -> Vec<Member>;

    /// Asks another node to have an image, and how far it is.
    fn ask<'a>(
        &'a self,
        node: NodeId,
        order: &'a PreheatOrder,
    ) -> BoxFuture<'a, Result<PreheatProgress, Silence>>;
}
