//! The cluster key is there.

use std::{io, path::Path, sync::Arc};

use crate::{
    config::InputFile,
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
};

pub(super) const CHECK: Check = Check {
    id: "cluster-key-read",
    category: Category::Cluster,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the cluster key's file is named and can be read",
    why: "The key is what admits a node to its cluster: without it the node does not start.",
    mend: "Copy the key from another node; for a new cluster, make one with `shoal key new`.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Some(InputFile(path)) = &context.config().cluster_key_file else {
        let mend = "Copy the key of the cluster here and name the file in cluster_key_file. This makes one for a new cluster.";
        let finding = Finding::new("no cluster key is named: the nodes of a cluster share one", mend);
        return Outcome::wrong(finding.run("(umask 077; shoal key new > cluster.key)"));
    };
    let shown = path.display();
    match std::fs::read(path) {
        Ok(_) => Outcome::well(shown.to_string()),
        Err(error) => Outcome::wrong(finding(path, &error)),
    }
}

fn finding(path: &Path, error: &io::Error) -> Finding {
    let shown = path.display();
    let what = format!("can't read cluster_key_file {shown}: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => {
            let mend = "Copy the key from another node to this path. For a new cluster, this makes one.";
            Finding::new(what, mend).run_on("(umask 077; shoal key new > {})", path)
        }
        io::ErrorKind::PermissionDenied => {
            Finding::new(what, "Give the file to the user that Shoal runs as.")
                .run_on("chown \"$(id -u)\" {}", path)
        }
        _ => Finding::new(what, "Put the file of the cluster's key there."),
    }
}

/// The text of the key; `None` where it can't be read.
pub(super) fn text(context: &Context) -> Option<String> {
    let InputFile(path) = context.config().cluster_key_file.as_ref()?;
    std::fs::read_to_string(path).ok()
}
