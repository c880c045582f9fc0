//! Each seed that is named: does its name resolve, does it answer, is it Shoal?

mod meet;

use std::{sync::Arc, time::Duration};

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, Severity};

/// A name, a connection and a handshake; each of them ends sooner.
const DEADLINE: Duration = Duration::from_secs(8);

pub(super) const RESOLVES: Check = Check {
    id: "seeds-resolve",
    category: Category::Cluster,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: DEADLINE,
    title: "the name of every seed has an address",
    why: "A seed without an address is never met; the node tries for ever.",
    mend: "Correct the name in swarm.bootstrap, or this host's name service.",
    probe: |context| Box::pin(told(context, Sort::Name)),
};

pub(super) const REACHABLE: Check = Check {
    id: "seeds-reachable",
    title: "every seed takes connections",
    why: "A node that reaches no seed gets nothing that the cluster does not have yet.",
    mend: "Start the seed, correct its port, or open it in the firewall between the two.",
    probe: |context| Box::pin(told(context, Sort::Connection)),
    ..RESOLVES
};

pub(super) const SPEAKS: Check = Check {
    id: "seeds-are-shoal",
    title: "what listens at every seed's address is a Shoal node's swarm",
    why: "A mirror, a registry or a proxy at that address admits nobody to the cluster.",
    mend: "Name the seed's swarm port, which is 5021 unless its configuration says otherwise.",
    probe: |context| Box::pin(told(context, Sort::Language)),
    ..RESOLVES
};

pub(super) const VERSION: Check = Check {
    id: "seeds-same-handshake",
    title: "every seed speaks this release's handshake",
    why: "Nodes with different versions of the handshake do not admit each other.",
    mend: "Run the same release on both.",
    probe: |context| Box::pin(told(context, Sort::Version)),
    ..RESOLVES
};

/// What is wrong with a seed, by the check that tells it, in the order in which it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Name,
    Connection,
    Language,
    Version,
    Key,
}

/// What this sort of trouble makes of the seeds; each seed has one at most, so it is told once.
pub(super) async fn told(context: Arc<Context>, sort: Sort) -> Outcome {
    let seeds = meet::all(&context).await;
    if seeds.is_empty() {
        return Outcome::skipped("no seed is named in swarm.bootstrap");
    }
    let findings = seeds.iter().filter_map(|met| met.trouble.as_ref()).filter(|trouble| trouble.sort == sort);
    let findings: Vec<Finding> = findings.map(|trouble| trouble.finding.clone()).collect();
    let others =
        seeds.iter().filter(|met| met.trouble.as_ref().is_some_and(|trouble| trouble.sort < sort)).count();
    if findings.is_empty() && others == seeds.len() {
        return Outcome::skipped("no seed was met");
    }
    Outcome::of(findings, format!("{} of {}", seeds.len() - others, seeds.len()))
}
