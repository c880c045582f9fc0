//! Answers to other nodes' queries.

use std::time::Duration;

use futures::future::BoxFuture;
use shoal_protocol::{
    identity::NodeId,
    wire::{Answer, Descriptor, ListPage, Query, Refusal},
};

use super::{Asker, Cluster};
use crate::{content::ContentError, query::Answers};

impl Answers for Cluster {
    fn answer(&self, from: NodeId, query: Query) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let parts = self.parts();
            let asker = if parts.inventory.is_seed(&from) { Asker::Seed } else { Asker::Anyone };
            match query {
                Query::Snapshot => Answer::Snapshot(parts.inventory.snapshot()),
                Query::Inventory => Answer::Inventory(parts.inventory.own_list()),
                query if parts.origin.is_some() => self.answer_as_seed(query, asker).await,
                query => self.answer_as_peer(query).await,
            }
        })
    }
}

impl Cluster {
    /// A seed gets what it is asked for, wherever that is.
    async fn answer_as_seed(&self, query: Query, asker: Asker) -> Answer {
        let answer = match query {
            Query::Resolve { image, tag } => {
                self.resolve_tag(&image, &tag, asker).await.map(|resolved| Answer::Resolved {
                    descriptor: Descriptor {
                        media_type: resolved.media_type,
                        digest: resolved.digest,
                        size_bytes: resolved.size_bytes,
                    },
                    stale_s: resolved.stale.map(whole_seconds),
                })
            }
            Query::Manifest { image, digest } => {
                let found = self.find_manifest(&image, &digest, asker).await;
                found.map(|manifest| Answer::Manifest {
                    media_type: manifest.media_type,
                    bytes: manifest.bytes.into(),
                })
            }
            Query::Stat { image, digest } => {
                let found = self.find_length(&image, &digest, asker).await;
                found.map(|size_bytes| Answer::Stat { size_bytes })
            }
            Query::Permission { image, wanted, login } => {
                let asked = self.ask_permission(&image, &wanted, login.as_ref(), asker).await;
                asked.map(|()| Answer::Permitted)
            }
            Query::List { image, listing, query } => {
                let found = self.find_list(&image, &listing, &query, asker).await;
                found.map(|listed| {
                    Answer::Listed(ListPage {
                        document: listed.document.into(),
                        filters: listed.filters,
                        next: listed.next,
                        stale_s: listed.stale.map(whole_seconds),
                    })
                })
            }
            Query::Preheat(_) | Query::Snapshot | Query::Inventory => {
                return Answer::Refused(Refusal::Malformed);
            }
        };
        answer.unwrap_or_else(|error| Answer::Refused(refusal(&error)))
    }

    /// A peer gives what it has, and asks nobody.
    async fn answer_as_peer(&self, query: Query) -> Answer {
        let answer = match query {
            Query::Manifest { image, digest }
                if self.is_guarded(&image) && !self.is_admitted(&image, &digest) =>
            {
                None
            }
            Query::Manifest { digest, .. } => self.stored_manifest(&digest).await.map(|manifest| {
                Answer::Manifest { media_type: manifest.media_type, bytes: manifest.bytes.into() }
            }),
            Query::Stat { digest, .. } => {
                self.parts().store.info(&digest).map(|info| Answer::Stat { size_bytes: info.size_bytes })
            }
            Query::Resolve { .. }
            | Query::Permission { .. }
            | Query::List { .. }
            | Query::Preheat(_)
            | Query::Snapshot
            | Query::Inventory => None,
        };
        answer.unwrap_or(Answer::Refused(Refusal::NotHere))
    }
}

fn whole_seconds(age: Duration) -> u32 {
    u32::try_from(age.as_secs()).unwrap_or(u32::MAX)
}

const fn refusal(error: &ContentError) -> Refusal {
    match error {
        ContentError::NotFound => Refusal::NotFound,
        ContentError::Denied(_) | ContentError::Unsigned(_) => Refusal::Denied,
        ContentError::NotHere(_) => Refusal::OriginFailed,
        ContentError::Overloaded(_) => Refusal::Busy,
    }
}
