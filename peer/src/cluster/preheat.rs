//! Content that this node is told to have before anyone asks for it.

use futures::future::BoxFuture;
use shoal_protocol::{digest::Digest, reference::ImageName};

use super::Cluster;
use crate::{
    content::ContentError,
    preheat::{Arrived, Source},
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
