//! Manifests and indexes: small, asked for whole, and kept by every node that has seen them.

use bytes::Bytes;
use shoal_protocol::{
    bounds::MAX_MANIFEST_BYTES,
    digest::Digest,
    identity::NodeId,
    reference::ImageName,
    wire::{Answer, Holding, Query},
};
use tokio::task::spawn_blocking;

use super::{Asker, Cluster, Owner, nonsense, origin_failed};
use crate::{
    content::{ContentError, Manifest},
    metrics::Source,
};

/// For a document that does not say what it is, as early OCI manifests don't.
const DEFAULT_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

impl Cluster {
    /// The manifest of that digest, if its signatures are as a policy wants them.
    pub(super) async fn find_manifest(
        &self,
        image: &ImageName,
        digest: &Digest,
        asker: Asker,
    ) -> Result<Manifest, ContentError> {
        match self.is_guarded(image) {
            false => self.find_anywhere(image, digest, asker).await,
            // Boxed, so that it takes no room in the futures of all who ask for manifests that are not guarded.
            true => Box::pin(self.find_guarded_manifest(image, digest, asker)).await,
        }
    }

    /// The manifest of that digest, from the nearest place that has it.
    pub(super) async fn find_anywhere(
        &self,
        image: &ImageName,
        digest: &Digest,
        asker: Asker,
    ) -> Result<Manifest, ContentError> {
        if let Some(manifest) = self.stored_manifest(digest).await {
            return Ok(manifest);
        }
        self.shared
            .manifests
            .run((image.clone(), *digest), || self.fetch_manifest(image, digest, asker))
            .await
    }

    /// A manifest that this node has.
    pub(super) async fn stored_manifest(&self, digest: &Digest) -> Option<Manifest> {
        let store = &self.parts().store;
        let info = store.info(digest)?;
        let len_bytes = usize::try_from(info.size_bytes).ok().filter(|len| *len <= MAX_MANIFEST_BYTES)?;
        // Opening a file is short enough for the reactor.
        let blob = store.open_blob(digest).ok()??;
        let mut bytes = vec![0; len_bytes];
        // The way to another thread and back costs more than reading what is in memory.
        if blob.read_cached(0, &mut bytes).ok()? < len_bytes {
            let read = spawn_blocking(move || blob.read_at(0, &mut bytes).map(|()| bytes));
            bytes = read.await.ok()?.ok()?;
        }
        let media_type = info.media_type.unwrap_or_else(|| stated_media_type(&bytes));
        let manifest = Manifest { media_type, digest: *digest, bytes: bytes.into() };
        self.parts().metrics.received(Source::Disk, manifest.bytes.len() as u64);
        Some(manifest)
    }

    async fn fetch_manifest(
        &self,
        image: &ImageName,
        digest: &Digest,
        asker: Asker,
    ) -> Result<Manifest, ContentError> {
        for node in self.holders(digest) {
            if let Ok(manifest) = self.ask_for_manifest(node, image, digest, Source::Peers).await {
                return Ok(self.keep(manifest).await);
            }
        }
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => match origin.origins.manifest(image, digest).await {
                    Ok(manifest) => {
                        self.parts().metrics.received(Source::Origin, manifest.bytes.len() as u64);
                        let (media_type, digest, bytes) =
                            (manifest.media_type, manifest.digest, manifest.bytes);
                        Ok(Manifest { media_type, digest, bytes })
                    }
                    Err(error) => Err(origin_failed(&error)),
                },
                Owner::Seed(node) => self.ask_for_manifest(node, image, digest, Source::Seed).await,
            }
        };
        let manifest = self.ask_owners(&digest.to_string(), asker, ask).await?;
        Ok(self.keep(manifest).await)
    }

    pub(super) async fn ask_for_manifest(
        &self,
        node: NodeId,
        image: &ImageName,
        digest: &Digest,
        source: Source,
    ) -> Result<Manifest, ContentError> {
        let query = Query::Manifest { image: image.clone(), digest: *digest };
        let Answer::Manifest { media_type, bytes } = self.ask(node, &query).await? else {
            return Err(nonsense(node));
        };
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            self.parts().metrics.verification_failed();
            tracing::warn!(%node, %digest, "sent something else for a manifest");
            return Err(nonsense(node));
        }
        self.parts().metrics.received(source, bytes.len() as u64);
        Ok(Manifest { media_type, digest: *digest, bytes: Bytes::from(bytes) })
    }

    /// Stores a manifest and tells the others. One that can't be stored is served all the same.
    pub(super) async fn keep(&self, manifest: Manifest) -> Manifest {
        let (store, kept) = (self.parts().store.clone(), manifest.clone());
        let stored =
            spawn_blocking(move || store.put(&kept.digest, Some(&kept.media_type), &kept.bytes)).await;
        match stored {
            Ok(Ok(())) => self.parts().inventory.set_local(manifest.digest, Some(Holding::Holds)),
            Ok(Err(error)) => tracing::warn!(digest = %manifest.digest, %error, "a manifest can't be kept"),
            Err(_) => {}
        }
        manifest
    }
}

/// The media type that a document gives itself.
fn stated_media_type(document: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Stated {
        #[serde(rename = "mediaType")]
        media_type: String,
    }
    serde_json::from_slice::<Stated>(document)
        .map_or_else(|_| DEFAULT_MEDIA_TYPE.to_owned(), |stated| stated.media_type)
}
