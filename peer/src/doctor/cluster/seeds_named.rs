//! A peer knows where to begin.

use std::sync::Arc;

use shoal_protocol::membership::ClusterKey;

use super::{key_kind, key_read};
use crate::doctor::{
    Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity,
    node::{Role, Status},
};

pub(super) const CHECK: Check = Check {
    id: "seeds-named",
    category: Category::Cluster,
    severity: Severity::Failure,
    depends_on: &["cluster-key-valid"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "a peer is told of a node to meet first, or remembers one",
    why: "A peer that knows nobody stays alone, and every pull goes to the registry.",
    mend: "Name a few seeds in swarm.bootstrap.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let config = context.config();
    if !config.swarm.bootstrap.is_empty() {
        let names: Vec<_> = config.swarm.bootstrap.iter().map(|seed| seed.as_str()).collect();
        return Outcome::well(names.join(", "));
    }
    let remembered = config.data_dir.join("peers.json");
    if remembered.exists() {
        return Outcome::well(format!("none, and {} has those of the last run", remembered.display()));
    }
    if can_be_seed(&context).await {
        return Outcome::skipped("a cluster's first seed is told of nobody");
    }
    Outcome::wrong(Finding::new(
        "swarm.bootstrap is empty, and no earlier run left a list of nodes",
        "Set bootstrap in [swarm] to the addresses of a few seeds: [\"seed.example:5021\"].",
    ))
}

/// What the running node is; before a start, what its key allows.
async fn can_be_seed(context: &Context) -> bool {
    let running = Status::running(context, |status| status.role).await;
    let key = || ClusterKey::parse(&key_read::text(context).unwrap_or_default());
    running.map_or_else(|| key().is_ok_and(|key| key_kind::makes_seeds(&key)), |role| role == Role::Seed)
}
