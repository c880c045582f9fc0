//! The variables that look like Shoal's are Shoal's.

use std::sync::Arc;

use crate::{
    config::Place,
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
};

pub(super) const CHECK: Check = Check {
    id: "config-variables",
    category: Category::Configuration,
    severity: Severity::Failure,
    depends_on: &[],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "every variable of the environment that looks like a setting is one",
    why: "A misspelt variable would be passed over in silence, so a node does not start with one.",
    mend: "Rename the variable where it is set: the unit file, the pod, the shell.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let findings = context.mistakes().iter().filter_map(|problem| match &problem.place {
        Some(Place::Environment(variable)) => {
            let what = format!("variable {variable}: {}", problem.what);
            Some(Finding::new(what, format!("{}.", problem.help)).run(format!("unset {variable}")))
        }
        _ => None,
    });
    Outcome::of(findings.collect(), "no mistakes")
}
