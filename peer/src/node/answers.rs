//! What other nodes' queries are answered from.

use futures::future::{BoxFuture, FutureExt, ready};
use shoal_protocol::{
    identity::NodeId,
    wire::{Answer, Query},
};

use crate::{cluster::Cluster, preheat::Preheat, query::Answers};

/// The parts of a node that answer others.
pub(super) struct NodeAnswers {
    pub(super) cluster: Cluster,
    pub(super) preheat: Preheat,
}

impl Answers for NodeAnswers {
    fn answer(&self, from: NodeId, query: Query) -> BoxFuture<'_, Answer> {
        match query {
            Query::Preheat(order) => {
                let told = self.preheat.answer(from, &order);
                ready(told.map_or_else(Answer::Refused, Answer::Preheat)).boxed()
            }
            query => self.cluster.answer(from, query),
        }
    }
}
