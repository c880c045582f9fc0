//! What the whole cluster has, as one place: the mirror serves from it, and other nodes' queries are answered from it.
//!
//! Each kind of content climbs the same ladder: this node's store, nodes that have it, the seeds in the order of
//! ownership. A seed that stands at the top of its own ladder, or is asked by another seed, asks the origin.

mod admitted;
mod answers;
mod blobs;
mod given_up;
mod lists;
mod manifests;
mod permission;
mod prefetch;
mod preheat;
mod signatures;
mod tags;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use shoal_protocol::{
    digest::Digest,
    identity::NodeId,
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference, Tag},
    wire::{Answer, ClientLogin, Query, Refusal},
};
use shoal_seed::{
    lists::Lists,
    origin::{OriginError, Origins},
    signatures::{SignatureRules, Signatures},
    single_flight::SingleFlight,
    tags::Tags,
};

use crate::{
    content::{Blob, Content, ContentError, Listed, Manifest, Manifests, Resolved},
    exchange::ExchangeHandle,
    inventory::InventoryHandle,
    metrics::Metrics,
    query::{self, QueryError},
    store::Store,
    swarm::SwarmHandle,
};
use admitted::Admitted;
use given_up::GivenUp;

pub use prefetch::{PassedManifests, PrefetchQueue};
pub use signatures::StoredParents;
pub use tags::StoredTags;

/// A node that has the content answers at once. Two of these and two of [`SEED_TIMEOUT`] stay within what the mirror
/// grants for an answer.
const HOLDER_TIMEOUT: Duration = Duration::from_secs(2);
/// A seed may have to ask a slow origin.
const SEED_TIMEOUT: Duration = Duration::from_secs(8);
/// Nodes that are asked for content they announced, before the seeds are.
const HOLDERS_ASKED: usize = 2;

/// What a cluster is made of, seen from one node.
pub struct ClusterParts {
    /// This node.
    pub me: NodeId,
    /// Connections to other nodes.
    pub swarm: SwarmHandle,
    /// Who has what.
    pub inventory: InventoryHandle,
    /// What this node has.
    pub store: Store,
    /// Fetches blobs.
    pub exchange: ExchangeHandle,
    /// What is counted.
    pub metrics: Metrics,
    /// Which images need a signature.
    pub signatures: SignatureRules,
    /// On a seed: what it asks origins with.
    pub origin: Option<OriginParts>,
    /// Where manifests go whose blobs are fetched ahead of the runtime, if they are.
    pub prefetch: Option<PrefetchQueue>,
}

/// What a seed asks origins with.
#[derive(Clone)]
pub struct OriginParts {
    /// The registries.
    pub origins: Arc<Origins>,
    /// What tags stand for.
    pub tags: Arc<Tags>,
    /// What is handed out only with a signature.
    pub signatures: Arc<Signatures>,
    /// What repositories list.
    pub lists: Arc<Lists>,
}

/// Everything that the cluster has. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    parts: ClusterParts,
    manifests: SingleFlight<(ImageName, Digest), Result<Manifest, ContentError>>,
    /// The same for manifests whose signatures matter, which end among the former.
    guarded: SingleFlight<(ImageName, Digest), Result<Manifest, ContentError>>,
    admitted: Admitted,
    given_up: GivenUp,
}

/// Who wants something, which decides whether this node may turn to other seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A runtime on this node, or a peer.
    Anyone,
    /// A seed: it has decided that this node owns the content.
    Seed,
}

/// The next one to ask.
enum Owner {
    /// This node asks the origin.
    Me(OriginParts),
    /// Another seed.
    Seed(NodeId),
}

impl Cluster {
    /// The cluster as its parts show it.
    pub fn new(parts: ClusterParts) -> Self {
        let (manifests, guarded, admitted, given_up) = Default::default();
        let shared = Shared { parts, manifests, guarded, admitted, given_up };
        Self { shared: Arc::new(shared) }
    }

    fn parts(&self) -> &ClusterParts {
        &self.shared.parts
    }

    /// The seeds to ask about `key`, in order.
    fn owners(&self, key: &str, asker: Asker) -> Vec<Owner> {
        let parts = self.parts();
        let owner = |node: NodeId| match &parts.origin {
            Some(origin) if node == parts.me => Owner::Me(origin.clone()),
            _ => Owner::Seed(node),
        };
        match (asker, &parts.origin) {
            (Asker::Seed, Some(origin)) => vec![Owner::Me(origin.clone())],
            _ => parts.inventory.owners(key).into_iter().map(owner).collect(),
        }
    }

    /// Asks the seeds one after the other, until one has the answer or has the origin's final word.
    async fn ask_owners<T, F>(
        &self,
        key: &str,
        asker: Asker,
        ask: impl Fn(Owner) -> F,
    ) -> Result<T, ContentError>
    where
        F: Future<Output = Result<T, ContentError>>,
    {
        let mut outcome = Err(nobody());
        for owner in self.owners(key, asker) {
            outcome = ask(owner).await;
            if outcome.as_ref().map_or_else(ContentError::is_final, |_| true) {
                break;
            }
        }
        outcome
    }

    /// Nodes that announced that they have the content, those of this node's zone first.
    fn holders(&self, digest: &Digest) -> Vec<NodeId> {
        let parts = self.parts();
        let members = parts.inventory.members(digest);
        let (mut near, mut far) = (members.near.holders, members.far.holders);
        for holders in [&mut near, &mut far] {
            holders.retain(|node| *node != parts.me);
            // Everyone who looks for the same content should not ask the same node.
            let spread = usize::from(parts.me.0[0]) % holders.len().max(1);
            holders.rotate_left(spread);
        }
        near.append(&mut far);
        near.truncate(HOLDERS_ASKED);
        near
    }

    async fn ask(&self, node: NodeId, query: &Query) -> Result<Answer, ContentError> {
        let parts = self.parts();
        let timeout = if parts.inventory.is_seed(&node) { SEED_TIMEOUT } else { HOLDER_TIMEOUT };
        let addresses: Vec<SocketAddr> = parts.inventory.swarm_addresses(&node);
        let answer = query::ask(&parts.swarm, node, addresses, query, timeout).await;
        answer.map_err(|error| {
            tracing::debug!(%error, "no answer");
            match error {
                QueryError::Refused { refusal: Refusal::NotFound, .. } => ContentError::NotFound,
                QueryError::Refused { refusal: Refusal::Denied, .. } => ContentError::Denied(
                    "the origin refused the seed, the seed does not ask this registry, or a policy of its wants a signature".to_owned(),
                ),
                QueryError::Refused { refusal: Refusal::Busy, .. } => {
                    ContentError::Overloaded("the seed has too much to do")
                }
                error => ContentError::NotHere(error.to_string()),
            }
        })
    }
}

impl ContentError {
    /// True when asking another node makes no difference: the origin has spoken.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::NotFound | Self::Denied(_) | Self::Unsigned(_))
    }
}

/// What a runtime is told of an origin's failure.
fn origin_failed(error: &OriginError) -> ContentError {
    match error {
        OriginError::NotFound(_) => ContentError::NotFound,
        OriginError::Denied(_) | OriginError::Unlisted { .. } | OriginError::Refused(_) => {
            ContentError::Denied(error.to_string())
        }
        OriginError::TooManyRequests { .. } | OriginError::Unavailable { .. } | OriginError::Corrupt(_) => {
            ContentError::NotHere(error.to_string())
        }
    }
}

/// What a runtime is told when there was nobody to ask.
fn nobody() -> ContentError {
    ContentError::NotHere("no node has it and no seed can be reached".to_owned())
}

/// What a runtime is told of an answer to another question.
fn nonsense(node: NodeId) -> ContentError {
    ContentError::NotHere(format!("node {node} answered another question"))
}

impl Manifests for Cluster {
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
}

impl Content for Cluster {
    fn stat<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<u64, ContentError>> {
        Box::pin(self.find_length(image, digest, Asker::Anyone))
    }

    fn blob<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Box<dyn Blob>, ContentError>> {
        Box::pin(self.open_blob(image, digest))
    }

    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Listed, ContentError>> {
        Box::pin(self.find_list(image, listing, query, Asker::Anyone))
    }

    fn permission<'a>(
        &'a self,
        image: &'a ImageName,
        wanted: &'a Reference,
        login: Option<&'a ClientLogin>,
    ) -> BoxFuture<'a, Result<(), ContentError>> {
        Box::pin(self.ask_permission(image, wanted, login, Asker::Anyone))
    }

    fn manifest_passed(&self, image: &ImageName, manifest: &Manifest) {
        if let Some(queue) = &self.parts().prefetch {
            queue.push(image, manifest);
        }
    }
}
