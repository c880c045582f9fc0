//! What tags stand for: the repository's owner asks the origin once for everyone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use shoal_protocol::{
    identity::NodeId,
    reference::{ImageName, Tag},
    wire::{Answer, Query},
};
use shoal_seed::{
    origin::Descriptor,
    tags::{RememberedTag, TagMemory},
};
use tokio::task::spawn_blocking;

use super::{Asker, Cluster, Owner, nonsense, origin_failed};
use crate::{
    content::{ContentError, Resolved},
    store::Store,
};

impl Cluster {
    /// What `tag` stands for now, by the word of the first seed that knows.
    pub(super) async fn resolve_tag(
        &self,
        image: &ImageName,
        tag: &Tag,
        asker: Asker,
    ) -> Result<Resolved, ContentError> {
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => match origin.tags.resolve(image, tag).await {
                    Ok(resolved) => {
                        Box::pin(self.judge_tag(&origin, image, &resolved.descriptor.digest)).await?;
                        Ok(Resolved {
                            media_type: resolved.descriptor.media_type,
                            digest: resolved.descriptor.digest,
                            size_bytes: resolved.descriptor.size_bytes,
                            stale: resolved.stale,
                        })
                    }
                    Err(error) => Err(origin_failed(&error)),
                },
                Owner::Seed(node) => {
                    self.ask_for_tag(node, image, tag).await.map_err(|error| self.refused(image, error))
                }
            }
        };
        self.ask_owners(&image.to_string(), asker, ask).await
    }

    async fn ask_for_tag(
        &self,
        node: NodeId,
        image: &ImageName,
        tag: &Tag,
    ) -> Result<Resolved, ContentError> {
        let query = Query::Resolve { image: image.clone(), tag: tag.clone() };
        let Answer::Resolved { descriptor, stale_s } = self.ask(node, &query).await? else {
            return Err(nonsense(node));
        };
        Ok(Resolved {
            media_type: descriptor.media_type,
            digest: descriptor.digest,
            size_bytes: descriptor.size_bytes,
            stale: stale_s.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

/// Keeps a seed's tags in its store, so that a restart while the origin is down forgets none.
pub struct StoredTags {
    store: Store,
}

/// The form in which a tag is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    media_type: String,
    digest: String,
    size_bytes: u64,
    confirmed_unix_s: u64,
}

impl StoredTags {
    /// Keeps tags in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl TagMemory for StoredTags {
    fn load<'a>(&'a self, image: &'a ImageName, tag: &'a Tag) -> BoxFuture<'a, Option<RememberedTag>> {
        let (store, key) = (self.store.clone(), key(image, tag));
        Box::pin(async move {
            let bytes = spawn_blocking(move || store.tag(&key)).await.ok()?.ok()??;
            let stored: Stored = serde_json::from_slice(&bytes).ok()?;
            Some(RememberedTag {
                descriptor: Descriptor {
                    media_type: stored.media_type,
                    digest: stored.digest.parse().ok()?,
                    size_bytes: stored.size_bytes,
                },
                confirmed_at: UNIX_EPOCH + Duration::from_secs(stored.confirmed_unix_s),
            })
        })
    }

    fn save<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
        remembered: Option<&'a RememberedTag>,
    ) -> BoxFuture<'a, ()> {
        let (store, key) = (self.store.clone(), key(image, tag));
        // A tag that is gone is kept as nothing, which no look-up takes for a tag.
        let value = remembered.and_then(|tag| serde_json::to_vec(&stored(tag)).ok()).unwrap_or_default();
        Box::pin(async move {
            let saved = spawn_blocking(move || store.remember_tag(&key, &value)).await;
            if let Ok(Err(error)) = saved {
                tracing::warn!(%error, "a tag's meaning is not kept across restarts");
            }
        })
    }
}

fn stored(tag: &RememberedTag) -> Stored {
    let since_epoch = tag.confirmed_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Stored {
        media_type: tag.descriptor.media_type.clone(),
        digest: tag.descriptor.digest.to_string(),
        size_bytes: tag.descriptor.size_bytes,
        confirmed_unix_s: since_epoch.as_secs(),
    }
}

fn key(image: &ImageName, tag: &Tag) -> String {
    format!("{image}:{tag}")
}
