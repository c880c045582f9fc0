//! What belongs to an image and is none: what refers to it, and small blobs.

use bytes::Bytes;
use futures::StreamExt as _;
use http::Method;
use shoal_protocol::{
    digest::Digest,
    listing::{ListQuery, Listing},
    reference::{ImageName, Tag},
};

use super::{BlobRange, Manifest, OriginError, Origins, manifest_ask, stated_digest};
use crate::metrics::Kind;

impl Origins {
    /// The manifest that `tag` stands for now.
    pub(crate) async fn tagged(&self, image: &ImageName, tag: &Tag) -> Result<Manifest, OriginError> {
        let registry = self.registry(&image.registry)?;
        let ask = manifest_ask(Kind::Signature, Method::GET, image, &format!("manifests/{tag}"));
        let answer = registry.ask(&ask).await?.success()?;
        let stated = stated_digest(answer.response.headers());
        self.read_manifest(&registry, answer, stated).await
    }

    /// The index of what refers to `subject`: its first page.
    pub(crate) async fn referrers(&self, image: &ImageName, subject: &Digest) -> Result<Bytes, OriginError> {
        let listing = Listing::Referrers(*subject);
        let answered = self.list_for(Kind::Signature, image, &listing, &ListQuery::default()).await?;
        Ok(answered.document)
    }

    /// A blob of at most `max_bytes`, whole and checked.
    pub(crate) async fn small_blob(
        &self,
        image: &ImageName,
        digest: &Digest,
        max_bytes: usize,
    ) -> Result<Bytes, OriginError> {
        let mut blob = self.blob(image, digest, BlobRange::default()).await?;
        let mut bytes = Vec::new();
        while let Some(part) = blob.body.next().await.transpose()? {
            if bytes.len() + part.len() > max_bytes {
                return Err(OriginError::refused(&blob.url, format!("sent more than {max_bytes} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            self.count_corrupt(image);
            return Err(OriginError::corrupt(&blob.url, "sent something else"));
        }
        Ok(bytes.into())
    }
}
