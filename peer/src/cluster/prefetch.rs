//! Blobs ahead of the runtime: what a manifest lists begins to come while the runtime still reads the manifest.
//!
//! A runtime asks for a few layers at a time. This node asks for them in the same order, so what it fetches ahead is
//! what the runtime asks for next; the runtime then joins the fetch that is under way. Nothing waits for what happens
//! here and nothing is made of a failure: the runtime's own request decides.

use shoal_protocol::{digest::Digest, reference::ImageName};
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::{content::Manifest, document::Document};

/// Manifests that wait for their turn: as many images as may start on a node at once, and some. Each is kept whole
/// until then, in 4 MiB at most.
const MAX_WAITING: usize = 16;
/// Blobs fetched ahead at a time, of all images: one more than containerd asks for at a time, so that the next layer
/// is on its way when one ends. The exchange has room for many more, which the runtimes' own requests need.
const MAX_AT_ONCE: usize = 4;
/// Blobs of one manifest that are fetched ahead: the config and more layers than container runtimes mount.
const MAX_BLOBS: usize = 129;

/// What lists blobs of one platform. An index lists manifests, of which the runtime takes one.
const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// Where the mirror leaves manifests for [`Cluster::prefetch`].
#[derive(Clone, Debug)]
pub struct PrefetchQueue(mpsc::Sender<Passed>);

/// The other end of a [`PrefetchQueue`].
#[derive(Debug)]
pub struct PassedManifests(mpsc::Receiver<Passed>);

/// A manifest that a runtime on this node was given.
#[derive(Debug)]
struct Passed {
    image: ImageName,
    manifest: Manifest,
}

impl PrefetchQueue {
    /// A queue and its end.
    pub fn new() -> (Self, PassedManifests) {
        let (passed, manifests) = mpsc::channel(MAX_WAITING);
        (Self(passed), PassedManifests(manifests))
    }

    /// Queues a manifest, if it lists blobs and there is room.
    pub(super) fn push(&self, image: &ImageName, manifest: &Manifest) {
        if !MANIFEST_TYPES.contains(&manifest.media_type.as_str()) {
            return;
        }
        let passed = Passed { image: image.clone(), manifest: manifest.clone() };
        if self.0.try_send(passed).is_err() {
            tracing::debug!(digest = %manifest.digest, "no blobs are fetched ahead for this manifest");
        }
    }
}

impl Cluster {
    /// Fetches what the manifests list, in the order in which runtimes will ask, until `stop`.
    pub async fn prefetch(self, manifests: PassedManifests, stop: CancellationToken) {
        // `None` when the node stops first, which is how it ends where anything is fetched ahead at all.
        let _ = stop.run_until_cancelled(self.fetch_listed(manifests)).await;
    }

    async fn fetch_listed(&self, PassedManifests(mut manifests): PassedManifests) {
        let mut fetching = JoinSet::new();
        while let Some(Passed { image, manifest }) = manifests.recv().await {
            for digest in self.lacking(manifest).await {
                if fetching.len() >= MAX_AT_ONCE {
                    fetching.join_next().await;
                }
                fetching.spawn(self.clone().fetch_ahead(image.clone(), digest));
            }
        }
    }

    /// The blobs of a manifest that this node does not have and could keep.
    async fn lacking(&self, manifest: Manifest) -> Vec<Digest> {
        let store = self.parts().store.clone();
        let lacking = spawn_blocking(move || {
            let mut blobs = listed_blobs(&manifest.bytes);
            blobs.retain(|digest| store.info(digest).is_none());
            if blobs.is_empty() || store.stats().degraded.is_some() { Vec::new() } else { blobs }
        });
        lacking.await.unwrap_or_default()
    }

    async fn fetch_ahead(self, image: ImageName, digest: Digest) {
        if self.shared.given_up.reason(&digest).is_some() {
            return;
        }
        // Stopped, or complete in the meantime.
        let Ok(Some(mut fetching)) = self.parts().exchange.fetch(digest, image).await else { return };
        let end = fetching.end().await;
        self.parts().metrics.prefetched(end.is_ok());
        if let Err(reason) = end {
            tracing::debug!(%digest, reason, "a blob could not be fetched ahead");
        }
    }
}

/// The config and the first layers that the manifest of an image lists; nothing of what is none.
fn listed_blobs(document: &[u8]) -> Vec<Digest> {
    match Document::parse(document) {
        Ok(Document::Manifest(manifest)) if manifest.is_for_containers() => {
            manifest.blobs().flatten().map(|blob| blob.digest).take(MAX_BLOBS).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shoal_protocol::digest::Algorithm;

    use super::*;

    const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_be_bytes())
    }

    fn blob(number: usize) -> Value {
        json!({ "mediaType": CONFIG_TYPE, "digest": digest(number).to_string(), "size": 1000 })
    }

    fn listed(document: &Value) -> Vec<Digest> {
        listed_blobs(document.to_string().as_bytes())
    }

    #[test]
    fn thousands_of_layers_are_cut_short() {
        let layers: Vec<Value> = (1..5000).map(blob).collect();
        let blobs = listed(&json!({ "config": blob(0), "layers": layers }));
        assert_eq!(blobs, (0..MAX_BLOBS).map(digest).collect::<Vec<_>>());
    }

    #[test]
    fn what_no_registry_could_send_is_left_out() {
        let mut huge = blob(1);
        huge["size"] = json!(u64::MAX);
        let mut nameless = blob(3);
        nameless["digest"] = json!("sha256:../../etc/passwd");
        let manifest = json!({ "config": blob(0), "layers": [huge, nameless, blob(4)] });
        assert_eq!(listed(&manifest), [digest(0), digest(4)]);
    }

    #[test]
    fn what_is_not_for_containers_is_left_to_who_asks() {
        let mut config = blob(0);
        for media_type in ["application/vnd.oci.empty.v1+json", "application/vnd.cncf.helm.config.v1+json"] {
            config["mediaType"] = json!(media_type);
            assert_eq!(listed(&json!({ "config": config, "layers": [blob(1)] })), [], "{media_type}");
        }
    }

    #[test]
    fn an_index_and_nonsense_list_nothing() {
        assert_eq!(listed(&json!({ "manifests": [blob(1), blob(2)] })), []);
        assert_eq!(listed(&json!({ "config": { "size": -1 }, "layers": "none" })), []);
    }
}
