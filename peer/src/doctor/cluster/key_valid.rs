//! The cluster key is one.

use std::sync::Arc;

use shoal_protocol::membership::ClusterKey;

use super::key_read;
use crate::{
    config::InputFile,
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
};

pub(super) const CHECK: Check = Check {
    id: "cluster-key-valid",
    category: Category::Cluster,
    severity: Severity::Failure,
    depends_on: &["cluster-key-read"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the file holds a cluster key",
    why: "A node with half a key, or another text in its place, does not start.",
    mend: "Copy the whole line from another node.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Some(InputFile(path)) = &context.config().cluster_key_file else {
        return Outcome::skipped("no file");
    };
    match ClusterKey::parse(&key_read::text(&context).unwrap_or_default()) {
        Ok(_) => Outcome::well("its checksum matches"),
        Err(error) => {
            let what = format!("{}: {error}", path.display());
            let mend = "Copy the whole line from a node that is in the cluster. For a new cluster, this makes a key.";
            Outcome::wrong(Finding::new(what, mend).run_on("(umask 077; shoal key new > {})", path))
        }
    }
}
