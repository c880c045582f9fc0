//! The cluster key is a secret.

use std::{os::unix::fs::MetadataExt, sync::Arc};

use crate::{
    config::InputFile,
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
};

pub(super) const CHECK: Check = Check {
    id: "cluster-key-private",
    category: Category::Cluster,
    severity: Severity::Warning,
    depends_on: &["cluster-key-read"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "only those who have to can read the cluster key",
    why: "Whoever reads the key can join the cluster, and with a full key be a seed of it.",
    mend: "Take the permission to read away from everyone else.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Some(InputFile(path)) = &context.config().cluster_key_file else {
        return Outcome::skipped("no file");
    };
    let shown = path.display();
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.mode() & 0o7777,
        Err(error) => return Outcome::skipped(format!("{shown} can't be examined: {error}")),
    };
    if mode & 0o007 == 0 {
        return Outcome::well(format!("mode {mode:04o}"));
    }
    let what = format!("everyone on this host can read {shown} (mode {mode:04o})");
    Outcome::wrong(Finding::new(what, "Leave it to its owner and group.").run_on("chmod o= {}", path))
}
