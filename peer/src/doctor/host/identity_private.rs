//! Nobody else can read the node's key.

use std::{os::unix::fs::MetadataExt, sync::Arc};

use crate::{
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
    identity_file,
};

pub(super) const CHECK: Check = Check {
    id: "identity-private",
    category: Category::Host,
    severity: Severity::Failure,
    depends_on: &["data-dir"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "only its owner can read node.key",
    why: "Whoever reads the key can be this node. A node with such a key does not start.",
    mend: "Take the permissions of others away.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let path = identity_file::path(&context.config().data_dir);
    let shown = path.display();
    let Ok(metadata) = std::fs::metadata(&path) else {
        return Outcome::well(format!("{shown} is made at the first start"));
    };
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Outcome::well(format!("mode {mode:04o}"));
    }
    let finding = Finding::new(
        format!("{shown} can be read by others (mode {mode:04o})"),
        "Make it its owner's alone.",
    );
    Outcome::wrong(finding.run_on("chmod 600 {}", &path))
}
