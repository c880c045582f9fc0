//! The running node is of the version that is installed.

use std::sync::Arc;

use super::Status;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "node-version",
    category: Category::Node,
    severity: Severity::Warning,
    depends_on: &["node-answers"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the running node is of this program's version",
    why: "After an update, the old version serves until the node is restarted.",
    mend: "Restart the node.",
    probe: |context| Box::pin(probe(context)),
};

const OWN: &str = env!("CARGO_PKG_VERSION");

async fn probe(context: Arc<Context>) -> Outcome {
    let unit = Status::unit(&context).await;
    match Status::of(&context).await.as_ref() {
        Ok(Status { version: Some(running), .. }) if running != OWN => {
            let what = format!("the node runs version {running}, and this program is {OWN}");
            Outcome::wrong(Finding::new(what, "Restart the node.").run(format!("systemctl restart {unit}")))
        }
        Ok(_) => Outcome::well(OWN),
        Err(reason) => Outcome::skipped(reason.clone()),
    }
}
