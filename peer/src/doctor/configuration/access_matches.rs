//! Every access rule is about a registry that Shoal asks.

use std::sync::Arc;

use shoal_seed::config::ImagePattern;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "config-access-matches",
    category: Category::Configuration,
    severity: Severity::Warning,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "every pattern of [access] is about a registry of the list",
    why: "A rule for a registry that is written otherwise guards nothing: images that no pattern fits are open to all \
          who reach the mirror.",
    mend: "Write the registry as its [[registry]] section has it in host, or add the section.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let config = context.config();
    if !context.names_registries() || config.seed.allow_unlisted {
        return Outcome::skipped("this node's configuration does not say which registries there are");
    }
    let hosts: Vec<_> = config.registry.iter().filter_map(|registry| registry.host.as_ref()).collect();
    let access = &config.access;
    let patterns: Vec<_> = access.open.iter().chain(&access.node).chain(&access.client).collect();
    let is_astray =
        |pattern: &&&ImagePattern| pattern.registry().is_some_and(|registry| !hosts.contains(&registry));
    let findings = patterns.iter().filter(is_astray).map(|pattern| {
        let known: Vec<_> = hosts.iter().map(|host| host.as_str()).collect();
        Finding::new(
            format!("the access rule {pattern} fits no image: its registry is not in the list"),
            format!("The list has {}: correct the rule, or add the registry.", known.join(", ")),
        )
    });
    Outcome::of(findings.collect(), format!("{} patterns", patterns.len()))
}
