//! The doctor inside a running node: it looks at the host now and then, for the metrics and the log.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Category, Check, Context, Report, all, diagnose};
use crate::{config::Config, metrics::Metrics};

/// Disks fill and limits change slowly, and each look costs a few calls of the system.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks at the host until told to stop. Only what is cheap and asks nobody: files, limits, the kernel's own numbers.
pub(crate) async fn watch(config: Config, metrics: Metrics, stop: CancellationToken) {
    let checks: Vec<_> = all().into_iter().filter(|check| check.category == Category::Host).collect();
    let mut known = BTreeSet::new();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let report = look(config.clone(), &checks).await;
        let summary = report.summary();
        metrics.set_problems(summary.failures, summary.warnings);
        known = tell_new(&report, &known);
    }
}

async fn look(config: Config, checks: &[&'static Check]) -> Report {
    diagnose(&Arc::new(Context::within(config)), checks).await
}

/// Logs what was not there at the last look; returns what is there now.
fn tell_new(report: &Report, known: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let problems = report.problems();
    for report in problems.iter().filter(|report| !known.contains(report.check.id)) {
        let what = report.findings().first().map(|finding| finding.what.as_str());
        tracing::warn!(
            check = report.check.id,
            what = what.unwrap_or("the check itself failed"),
            "something is wrong with this host; `shoal doctor` has the mend"
        );
    }
    problems.iter().map(|report| report.check.id).collect()
}
