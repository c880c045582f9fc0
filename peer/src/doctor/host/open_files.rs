//! The node may open as many files as it needs.

use std::sync::Arc;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity, node::Status};

/// Lanes, the swarm's connections, blobs that are being written: what a node has open besides its mirror's clients.
const OTHERS: u64 = 1024;

pub(super) const CHECK: Check = Check {
    id: "open-files",
    category: Category::Host,
    severity: Severity::Warning,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the node may have enough files and connections open",
    why: "Past the limit, connections of runtimes and other nodes are turned away, and pulls go to the registry.",
    mend: "Raise the limit in what starts the node: LimitNOFILE in the unit, ulimits of the container.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let pid = Status::running(&context, |status| status.pid).await;
    let (whose, path) = match pid {
        Some(pid) => (format!("the node (process {pid})"), format!("/proc/{pid}/limits")),
        None => ("a program started from here".to_owned(), "/proc/self/limits".to_owned()),
    };
    let Some(limit) = context.read(&path).ok().and_then(|text| open_files(&text)) else {
        return Outcome::skipped(format!("{path} can't be read here"));
    };
    let needed = OTHERS + context.config().mirror.max_connections as u64;
    if limit >= needed {
        return Outcome::well(limit.to_string());
    }
    let mend = format!(
        "Set LimitNOFILE=65536 in the unit of shoal and restart it; from a shell, raise the shell's own limit to {needed} first."
    );
    let what = format!("{whose} may open {limit} files, and needs up to {needed}");
    Outcome::wrong(match pid {
        Some(pid) => Finding::new(what, mend).run(format!("prlimit --pid {pid} --nofile=65536:65536")),
        None => Finding::new(what, mend).run("ulimit -n 65536"),
    })
}

/// The limit that counts, out of the kernel's table.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}
