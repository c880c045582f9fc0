//! The node's admin page answers.

use std::sync::Arc;

use http::StatusCode;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, PageError, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "node-answers",
    category: Category::Node,
    severity: Severity::Failure,
    depends_on: &["config-file"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the node's admin page answers",
    why: "Without a running node, every pull of this host goes to the registry.",
    mend: "Start the node, or tell the doctor where its admin page is.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let admin = context.admin();
    let address = admin.address();
    match admin.get("/healthz").await {
        Ok(answer) if answer.status == StatusCode::OK && answer.body.as_ref() == b"ok\n" => {
            Outcome::well(address.to_string())
        }
        Ok(answer) => Outcome::wrong(foreign(format!("{address} answers {} and is no Shoal node", answer.status))),
        Err(error @ PageError::NotHttp { .. }) => Outcome::wrong(foreign(error.to_string())),
        Err(error) => Outcome::wrong(
            Finding::new(
                error.to_string(),
                "Start the node; if it runs, give the doctor its configuration: --config FILE, or --admin-listen.",
            )
            .run(format!("systemctl start {}", if context.names_registries() { "shoal-seed" } else { "shoal-peer" })),
        ),
    }
}

fn foreign(what: String) -> Finding {
    Finding::new(
        what,
        "Another program has this address: give the node another one (admin.listen), or stop that program.",
    )
}
