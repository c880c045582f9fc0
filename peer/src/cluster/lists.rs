//! What repositories list: the repository's owner asks the origin once for everyone.

use std::time::Duration;

use shoal_protocol::{
    identity::NodeId,
    listing::{ListQuery, Listing},
    reference::ImageName,
    wire::{Answer, Query},
};

use super::{Asker, Cluster, Owner, nonsense, origin_failed};
use crate::content::{ContentError, Listed};

impl Cluster {
    /// A page of a list, by the word of the first seed that knows.
    pub(super) async fn find_list(
        &self,
        image: &ImageName,
        listing: &Listing,
        query: &ListQuery,
        asker: Asker,
    ) -> Result<Listed, ContentError> {
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => match origin.lists.page(image, listing, query).await {
                    Ok(known) => Ok(Listed {
                        document: known.page.document,
                        filters: known.page.filters,
                        next: known.page.next,
                        stale: known.stale,
                    }),
                    Err(error) => Err(origin_failed(&error)),
                },
                Owner::Seed(node) => self.ask_for_list(node, image, listing, query).await,
            }
        };
        self.ask_owners(&image.to_string(), asker, ask).await
    }

    async fn ask_for_list(
        &self,
        node: NodeId,
        image: &ImageName,
        listing: &Listing,
        query: &ListQuery,
    ) -> Result<Listed, ContentError> {
        let query = Query::List { image: image.clone(), listing: *listing, query: query.clone() };
        let Answer::Listed(page) = self.ask(node, &query).await? else {
            return Err(nonsense(node));
        };
        Ok(Listed {
            document: page.document.into(),
            filters: page.filters,
            next: page.next,
            stale: page.stale_s.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}
