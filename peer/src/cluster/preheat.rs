//! Content that this node is told to have before anyone asks for it.

use futures::future::BoxFuture;
use shoal_protocol::{
    digest::Digest,
    reference::{ImageName, Tag},
};

use super::{Asker, Cluster};
use crate::{
    content::{ContentError, Manifest, Resolved},
    preheat::{Arrived, Source},
};

impl Source for Cluster {
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>> {
        Box::pin(self.resolve_tag(image, tag, Asker::Anyone))
    }

    fn manifest<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>> {
        Box::pin(self.find_manifest(image, digest, Asker::Anyone))
    }

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
