//! The node is connected to others.

use std::sync::Arc;

use super::{Role, Status};
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "node-connected",
    category: Category::Cluster,
    severity: Severity::Failure,
    depends_on: &["node-answers"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the node is connected to others",
    why: "Alone, a peer has nobody to fetch from: every pull goes to the registry.",
    mend: "Look at the seeds and the cluster key; open port 5021 between the nodes.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    match Status::of(&context).await.as_ref() {
        Ok(status) if !status.connected_nodes.is_empty() => {
            Outcome::well(format!("{} connections", status.connected_nodes.len()))
        }
        Ok(Status { role: Some(Role::Seed), .. }) => Outcome::skipped("a seed that nobody has met yet"),
        Ok(_) => {
            let mend = "Look at the seeds one by one, from here.";
            Outcome::wrong(
                Finding::new("the node has no connection to any other", mend)
                    .run("shoal doctor --pre cluster"),
            )
        }
        Err(reason) => Outcome::skipped(reason.clone()),
    }
}
