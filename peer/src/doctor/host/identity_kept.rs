//! The node's key is one.

use std::sync::Arc;

use crate::{
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
    identity_file::{self, IdentityFileError},
};

pub(super) const CHECK: Check = Check {
    id: "identity-kept",
    category: Category::Host,
    severity: Severity::Failure,
    depends_on: &["identity-private"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "node.key holds a node's key",
    why: "The key is who the node is; with a damaged one it does not start.",
    mend: "Restore the file, or move it away: the node gets a new identity, and nothing else is lost.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let dir = &context.config().data_dir;
    let path = identity_file::path(dir);
    let shown = path.display();
    match identity_file::load(dir) {
        Ok(Some(key)) => Outcome::well(key.node_id().to_string()),
        Ok(None) => Outcome::well(format!("{shown} is made at the first start")),
        Err(error @ IdentityFileError::Malformed(_)) => Outcome::wrong(
            Finding::new(error.to_string(), "Restore it from a backup; or move it away for a new identity.")
                .run_on("mv {} {}.damaged", &path),
        ),
        Err(error) => Outcome::wrong(
            Finding::new(error.to_string(), "Let the user that Shoal runs as read it.")
                .run_on("ls -l {}", &path),
        ),
    }
}
