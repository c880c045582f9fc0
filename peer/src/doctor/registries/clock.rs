//! This host's clock agrees with the registries'.

use std::sync::Arc;

use super::asked::{self, Asked, DEADLINE};
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, Severity};

/// More than what a slow answer and whole seconds explain.
const MOST_S: u64 = 60;

pub(super) const CHECK: Check = Check {
    id: "clock",
    category: Category::Registries,
    severity: Severity::Failure,
    depends_on: &["registry-settings"],
    needs: Needs::Nothing,
    deadline: DEADLINE,
    title: "this host's clock agrees with the registries' to a minute",
    why: "With a wrong clock, certificates and tokens seem to have ended, or not to have begun.",
    mend: "Have the clock set by NTP.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let asked = match asked::all(&context).await {
        Ok(asked) => asked,
        Err(outcome) => return outcome,
    };
    let differences: Vec<(&Asked, i64)> = asked.iter().filter_map(difference).collect();
    let Some((_, least)) = differences.iter().min_by_key(|(_, difference)| difference.unsigned_abs()) else {
        return Outcome::skipped("no registry told the time");
    };
    // Where one registry agrees, another one's clock is wrong, and not ours.
    if least.unsigned_abs() <= MOST_S {
        return Outcome::well(format!("{least} s"));
    }
    let (registry, _) = differences[0];
    let direction = if *least > 0 { "ahead of" } else { "behind" };
    let what = format!(
        "this host's clock is {} s {direction} that of {}",
        least.unsigned_abs(),
        registry.config.host
    );
    Outcome::wrong(Finding::new(what, "Have it set by NTP.").run("timedatectl set-ntp true"))
}

/// How many seconds this host is ahead of a registry.
fn difference(asked: &Asked) -> Option<(&Asked, i64)> {
    let met =
        asked.outcome.as_ref().ok()?.iter().find_map(|examined| examined.result.as_ref().ok()?.clock_s)?;
    Some((asked, asked.now_s.saturating_sub(met)))
}
