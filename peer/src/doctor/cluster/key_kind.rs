//! A seed has the whole key.

use std::sync::Arc;

use shoal_protocol::{
    identity::NodeKey,
    membership::{ClusterKey, Role},
};

use super::key_read;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "cluster-key-kind",
    category: Category::Cluster,
    severity: Severity::Warning,
    depends_on: &["cluster-key-valid"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "a node that is told registries has a key that makes seeds",
    why: "Registries are for seeds, and a member key makes none: as a seed this node would not start, and as a peer it \
          does nothing with its registries.",
    mend: "Give a seed the key of `shoal key new`; take the registries out of a peer's configuration.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Ok(key) = ClusterKey::parse(&key_read::text(&context).unwrap_or_default()) else {
        return Outcome::skipped("there is no key");
    };
    if makes_seeds(&key) {
        return Outcome::well("a full key");
    }
    if !context.names_registries() {
        return Outcome::well("a member key, as peers have it");
    }
    Outcome::wrong(Finding::new(
        "the configuration has registries, and the cluster key is a member key, which makes no seeds",
        "If this is to be a seed, put the key of `shoal key new` into cluster_key_file; else remove [[registry]].",
    ))
}

/// Whether nodes with this key can be seeds.
pub(super) fn makes_seeds(key: &ClusterKey) -> bool {
    let anyone = NodeKey::from_secret([1; 32]).node_id();
    key.issue_role(&anyone, Role::Seed).is_ok()
}
