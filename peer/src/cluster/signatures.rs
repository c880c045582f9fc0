//! What is handed out only after a look at its signatures: judged by the seed that owns the repository, so that one
//! memory knows the tags, the indexes and what these list.

use futures::future::BoxFuture;
use shoal_protocol::{digest::Digest, reference::ImageName};
use shoal_seed::signatures::{Parents, SignatureError};
use tokio::task::spawn_blocking;

use super::{Asker, Cluster, OriginParts, Owner};
use crate::{
    content::{ContentError, Manifest},
    metrics::Source,
    store::Store,
};

impl Cluster {
    /// Whether manifests of `image` go through their repository's owner. On a peer only where a signature is required:
    /// what is preferred concerns seeds alone, which warn and count.
    pub(super) fn is_guarded(&self, image: &ImageName) -> bool {
        let parts = self.parts();
        match parts.origin {
            Some(_) => parts.signatures.concern(image),
            None => parts.signatures.requires(image),
        }
    }

    /// Whether a seed has handed this manifest to this node since it started.
    pub(super) fn is_admitted(&self, image: &ImageName, digest: &Digest) -> bool {
        self.shared.admitted.has(image, digest)
    }

    /// A manifest whose signatures matter. What the store and other nodes hold counts only once a seed has judged it.
    pub(super) async fn find_guarded_manifest(
        &self,
        image: &ImageName,
        digest: &Digest,
        asker: Asker,
    ) -> Result<Manifest, ContentError> {
        if self.is_admitted(image, digest) {
            return self.find_anywhere(image, digest, asker).await;
        }
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => self.judge_manifest(&origin, image, digest).await,
                Owner::Seed(node) => {
                    let asked = self.ask_for_manifest(node, image, digest, Source::Seed).await;
                    let manifest = asked.map_err(|error| self.refused(image, error))?;
                    self.shared.admitted.note(image, digest);
                    Ok(self.keep(manifest).await)
                }
            }
        };
        let key = image.to_string();
        self.shared.guarded.run((image.clone(), *digest), || self.ask_owners(&key, asker, ask)).await
    }

    /// Judges what a tag stands for, on the repository's owner, and what that lists.
    pub(super) async fn judge_tag(
        &self,
        origin: &OriginParts,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<(), ContentError> {
        origin.signatures.admit(image, digest).await.map_err(|error| unsigned(&error))?;
        if origin.signatures.wants_content(image, digest) {
            // Other nodes may have the index, and ask for no more than what it lists.
            let judged = self.judge_manifest(origin, image, digest).await;
            judged.inspect_err(|error| tracing::debug!(%image, %digest, %error, "not read ahead")).ok();
        }
        Ok(())
    }

    /// What a seed's refusal means to a runtime. A seed does not say why: it may be the registry, too.
    pub(super) fn refused(&self, image: &ImageName, error: ContentError) -> ContentError {
        match error {
            ContentError::Denied(_) if self.parts().signatures.requires(image) => {
                ContentError::Unsigned(format!(
                    "a policy requires a signature of {image}, and a seed refuses it: it has none that counts, or the \
                     registry denies access; the seed's log says which"
                ))
            }
            error => error,
        }
    }

    async fn judge_manifest(
        &self,
        origin: &OriginParts,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<Manifest, ContentError> {
        origin.signatures.admit(image, digest).await.map_err(|error| unsigned(&error))?;
        let manifest = self.find_anywhere(image, digest, Asker::Seed).await?;
        origin.signatures.vouch(image, digest, &manifest.bytes).await;
        Ok(manifest)
    }
}

fn unsigned(error: &SignatureError) -> ContentError {
    match error {
        SignatureError::Unsigned { .. } => ContentError::Unsigned(error.to_string()),
        SignatureError::Unknown { .. } => ContentError::NotHere(error.to_string()),
    }
}

/// Keeps in a seed's store which index lists a manifest.
pub struct StoredParents {
    store: Store,
}

impl StoredParents {
    /// Keeps it in `store`, among what tags stand for.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Parents for StoredParents {
    fn load<'a>(&'a self, image: &'a ImageName, listed: &'a Digest) -> BoxFuture<'a, Option<Digest>> {
        let (store, key) = (self.store.clone(), key(image, listed));
        Box::pin(async move {
            let stored = spawn_blocking(move || store.tag(&key)).await.ok()?.ok()??;
            std::str::from_utf8(&stored).ok()?.parse().ok()
        })
    }

    fn save<'a>(&'a self, image: &'a ImageName, listed: &'a Digest, index: &'a Digest) -> BoxFuture<'a, ()> {
        let (store, key, index) = (self.store.clone(), key(image, listed), index.to_string());
        Box::pin(async move {
            let saved = spawn_blocking(move || store.remember_tag(&key, index.as_bytes())).await;
            if let Ok(Err(error)) = saved {
                tracing::warn!(%error, "what an index lists is not kept across restarts");
            }
        })
    }
}

/// No tag is called like that: `@` can't be in one.
fn key(image: &ImageName, listed: &Digest) -> String {
    format!("{image}@{listed}")
}
