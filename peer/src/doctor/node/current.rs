//! The running node has read the configuration as it is now.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Status;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// A file that is written while the node starts may count either way.
const TOLERANCE: Duration = Duration::from_secs(2);

pub(super) const CHECK: Check = Check {
    id: "config-current",
    category: Category::Node,
    severity: Severity::Warning,
    depends_on: &["node-answers", "config-keys"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the configuration has not changed since the node started",
    why: "The node reads its configuration when it starts: what was changed since does not count yet.",
    mend: "Restart the node.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Some(path) = context.config_file() else { return Outcome::skipped("there is no file") };
    let (status, unit) = (Status::of(&context).await, Status::unit(&context).await);
    let uptime_s = match status.as_ref() {
        Ok(status) => status.uptime_s.unwrap_or_default(),
        Err(reason) => return Outcome::skipped(reason.clone()),
    };
    let changed = match std::fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(changed) => changed,
        Err(error) => return Outcome::skipped(format!("{} can't be examined: {error}", path.display())),
    };
    // The node counts whole seconds, rounded down.
    let started = SystemTime::now().checked_sub(Duration::from_secs(uptime_s.saturating_add(1)));
    let is_old = started.is_none_or(|started| changed <= started + TOLERANCE);
    if is_old {
        return Outcome::well(path.display().to_string());
    }
    let what = format!("{} was changed after the node had started, {uptime_s} s ago", path.display());
    Outcome::wrong(Finding::new(what, "Restart the node.").run(format!("systemctl restart {unit}")))
}
