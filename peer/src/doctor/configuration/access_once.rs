//! No image is in two lists of access rules.

use std::sync::Arc;

use shoal_seed::config::ImagePattern;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "config-access-once",
    category: Category::Configuration,
    severity: Severity::Warning,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "no pattern of [access] stands in two lists",
    why: "The strictest list counts, so the other line says something that is not so.",
    mend: "Keep the pattern in one of the lists open, node and client.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let access = &context.config().access;
    let lists = [("open", &access.open), ("node", &access.node), ("client", &access.client)];
    let mut findings = Vec::new();
    for (index, (looser, patterns)) in lists.iter().enumerate() {
        for (stricter, others) in lists.iter().skip(index + 1) {
            let twice = patterns.iter().filter(|pattern| others.contains(pattern));
            findings.extend(twice.map(|pattern| finding(pattern, looser, stricter)));
        }
    }
    Outcome::of(
        findings,
        format!("{} patterns", lists.iter().map(|(_, patterns)| patterns.len()).sum::<usize>()),
    )
}

fn finding(pattern: &ImagePattern, looser: &str, stricter: &str) -> Finding {
    Finding::new(
        format!("{pattern} is in access.{looser} and in access.{stricter}; the latter counts"),
        format!(
            "Take {pattern} out of access.{looser}, or out of access.{stricter} if that is what you mean."
        ),
    )
}
