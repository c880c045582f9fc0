//! The host has memory for the node's buffers.

use std::sync::Arc;

use bytesize::ByteSize;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// Pieces on their way, TLS buffers and the index's cache, with room for a few pulls at once.
const LEAST_BYTES: u64 = 256 << 20;

pub(super) const CHECK: Check = Check {
    id: "memory",
    category: Category::Host,
    severity: Severity::Warning,
    depends_on: &[],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "256 MiB of memory can be had",
    why: "The kernel ends a process that gets no memory, and with it every pull under way.",
    mend: "Raise the limit of the container or unit, or free memory of the host.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    if let Some(limit) = group_limit(&context).filter(|limit| *limit < LEAST_BYTES) {
        let what =
            format!("this control group may use {}, and a node needs up to 256 MiB", ByteSize::b(limit));
        let mend = "Raise the memory limit of the pod or container, or MemoryMax of the unit.";
        return Outcome::wrong(
            Finding::new(what, mend).run("systemctl set-property shoal-peer MemoryMax=1G"),
        );
    }
    let Some(available) = context.read("/proc/meminfo").ok().and_then(|text| available(&text)) else {
        return Outcome::skipped("/proc/meminfo can't be read here");
    };
    if available >= LEAST_BYTES {
        return Outcome::well(format!("{} available", ByteSize::b(available)));
    }
    let what = format!("this host has {} of memory available", ByteSize::b(available));
    Outcome::wrong(
        Finding::new(what, "Free some: this shows who uses it.")
            .run("ps -eo pid,rss,comm --sort=-rss | head"),
    )
}

/// The limit of the container that the doctor is in, with the second version of control groups.
fn group_limit(context: &Context) -> Option<u64> {
    context.read("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
