//! The mirror is for this host alone.

use std::sync::Arc;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "mirror-local",
    category: Category::Configuration,
    severity: Severity::Warning,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the mirror listens on loopback only",
    why: "The mirror asks no one who they are: whoever reaches it can pull what the seeds' logins may pull.",
    mend: "Set mirror.listen to an address of loopback; every node has a mirror of its own.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let listen = context.config().mirror.listen;
    if listen.ip().is_loopback() {
        return Outcome::well(listen.to_string());
    }
    let mend = format!("Set listen in [mirror] to \"127.0.0.1:{}\", and restart the node.", listen.port());
    Outcome::wrong(Finding::new(format!("mirror.listen is {listen}, which others can reach"), mend))
}
