//! The doctor inside a running node: it looks at the host now and then, for the metrics and the log.

use std::{collections::BTreeSet, io, sync::Arc, thread, time::Duration};

use tokio::{
    runtime,
    sync::oneshot,
    time::{MissedTickBehavior, interval, timeout},
};
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
        let report = tokio::select! {
            () = stop.cancelled() => return,
            report = look(Context::within(config.clone()), checks.clone()) => report,
        };
        let Some(report) = report else { continue };
        let summary = report.summary();
        metrics.set_problems(summary.failures, summary.warnings);
        known = tell_new(&report, &known);
    }
}

/// Looks once, however long that takes; `None` when it can't.
async fn look(context: Context, checks: Vec<&'static Check>) -> Option<Report> {
    let looking = look_aside(context, checks);
    let mut looking = looking.inspect_err(|error| tracing::warn!(%error, "cannot look at the host")).ok()?;
    if let Ok(report) = timeout(LOOK_EVERY, &mut looking).await {
        return report.ok();
    }
    tracing::warn!("the look at this host does not come to an end: one of its file systems may hang");
    looking.await.ok()
}

/// Looks from a thread of its own, which nobody waits for: checks read files, and a file system that hangs must hold up
/// neither requests nor the end of the process.
fn look_aside(context: Context, checks: Vec<&'static Check>) -> io::Result<oneshot::Receiver<Report>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (reply, report) = oneshot::channel();
    thread::Builder::new().name("doctor".into()).spawn(move || {
        // An error means that the node has stopped meanwhile.
        let _ = reply.send(runtime.block_on(diagnose(&Arc::new(context), &checks)));
    })?;
    Ok(report)
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        config::Inputs,
        configure::Root,
        doctor::{Outcome, Situation, State},
    };

    const HANGS_FOR: Duration = Duration::from_millis(400);
    const HANGS: Check = Check {
        id: "hangs",
        probe: |_| {
            Box::pin(async {
                thread::sleep(HANGS_FOR);
                Outcome::well("at last")
            })
        },
        ..Check::WELL
    };

    /// On the one thread of this runtime.
    #[tokio::test]
    async fn a_file_system_that_hangs_holds_up_nobody() {
        let (root, inputs) = (Root::new("/nowhere"), Inputs::default());
        let context = Context::new(Situation { root, inputs, is_pre: false });
        let looking = tokio::spawn(look(context, vec![&HANGS]));
        let asked = Instant::now();
        tokio::time::sleep(HANGS_FOR / 10).await;
        assert!(asked.elapsed() < HANGS_FOR / 2, "{:?}", asked.elapsed());
        let report = looking.await.unwrap().unwrap();
        assert_eq!(report.checks[0].state, State::Well("at last".into()));
    }
}
