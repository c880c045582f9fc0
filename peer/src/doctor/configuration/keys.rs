//! Everything in the file, and on the command line, is understood.

use std::sync::Arc;

use crate::{
    config::Place,
    doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity},
};

pub(super) const CHECK: Check = Check {
    id: "config-keys",
    category: Category::Configuration,
    severity: Severity::Failure,
    depends_on: &["config-file"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "every key and value of the configuration is understood",
    why: "A node with a mistake in its configuration does not start; a running one stays down after its next restart.",
    mend: "Correct the line: the finding names the key that was probably meant, or what belongs there.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let mistakes = context.mistakes().iter();
    let of_file = mistakes.filter(|problem| !matches!(problem.place, Some(Place::Environment(_))));
    let findings = of_file.map(|problem| {
        let mend = format!("{}; then look again.", problem.help);
        let finding = Finding::new(problem.to_string(), mend);
        match context.config_file() {
            Some(path) => finding.run_on("shoal config --config {}", path),
            None => finding.run("shoal config"),
        }
    });
    Outcome::of(findings.collect(), "no mistakes")
}
