//! Content that this node, or another one, is told to have before anyone asks for it.

use futures::future::BoxFuture;
use shoal_protocol::{
    digest::Digest,
    identity::NodeId,
    reference::ImageName,
    wire::{Answer, PreheatOrder, PreheatProgress, Query},
};

use super::{Cluster, SEED_TIMEOUT};
use crate::{
    content::ContentError,
    preheat::{Arrived, Fleet, Member, Silence, Source},
    query::{self, QueryError},
};

impl Source for Cluster {
    fn holds(&self, digest: &Digest) -> bool {
        self.parts().store.info(digest).is_some()
    }

    fn fetch<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
        arrived: &'a Arrived<'a>,
    ) -> BoxFuture<'a, Result<(), ContentError>> {
        Box::pin(async move {
            let fetching = self.parts().exchange.fetch(*digest, image.clone()).await;
            match fetching.map_err(|error| ContentError::NotHere(error.to_string()))? {
                Some(mut fetching) => fetching.end_telling(arrived).await.map_err(ContentError::NotHere),
                // It was completed just now.
                None => Ok(()),
            }
        })
    }
}

impl Fleet for Cluster {
    fn me(&self) -> NodeId {
        self.parts().me
    }

    fn members(&self) -> Vec<Member> {
        let nodes = self.parts().inventory.live_nodes().into_iter();
        nodes.map(|(node, zone)| Member { node, zone }).collect()
    }

    fn ask<'a>(
        &'a self,
        node: NodeId,
        order: &'a PreheatOrder,
    ) -> BoxFuture<'a, Result<PreheatProgress, Silence>> {
        Box::pin(async move {
            let parts = self.parts();
            let addresses = parts.inventory.swarm_addresses(&node);
            let query = Query::Preheat(order.clone());
            match query::ask(&parts.swarm, node, addresses, &query, SEED_TIMEOUT).await {
                Ok(Answer::Preheat(progress)) => Ok(progress),
                Ok(_) => Err(Silence::Refused),
                Err(QueryError::Refused { refusal, .. }) => Err(refusal.into()),
                Err(QueryError::Unreachable(_)) => Err(Silence::NoAnswer("it can't be reached".to_owned())),
                Err(QueryError::Timeout { timeout, .. }) => {
                    Err(Silence::NoAnswer(format!("it did not answer within {timeout:?}")))
                }
                Err(error) => Err(Silence::NoAnswer(error.to_string())),
            }
        })
    }
}
