//! The kernel lets connections grow their buffers.

use std::sync::Arc;

use bytesize::ByteSize;

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// What a connection of 10 Gbit/s needs for a round trip of two milliseconds. Linux's own bounds are 6 and 4 MiB.
const LEAST_BYTES: u64 = 2_500_000;

pub(super) const CHECK: Check = Check {
    id: "tcp-buffers",
    category: Category::Host,
    severity: Severity::Warning,
    depends_on: &[],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the kernel lets a connection have 2.5 MB in flight",
    why: "Shoal leaves buffers to the kernel. A low bound slows every transfer to buffer size over round trip.",
    mend: "Raise the last number of net.ipv4.tcp_rmem and tcp_wmem.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let mut findings = Vec::new();
    let mut measured = Vec::new();
    for (name, usual) in [("tcp_rmem", "4096 131072 6291456"), ("tcp_wmem", "4096 16384 4194304")] {
        let Ok(text) = context.read(&format!("/proc/sys/net/ipv4/{name}")) else { continue };
        let Some(most) = text.split_whitespace().nth(2).and_then(|number| number.parse::<u64>().ok()) else {
            continue;
        };
        measured.push(format!("{name} {}", ByteSize::b(most)));
        if most < LEAST_BYTES {
            let what = format!("net.ipv4.{name} lets a connection buffer {} at most", ByteSize::b(most));
            let mend = "Set it to Linux's own bounds; a file in /etc/sysctl.d keeps that over a restart.";
            findings.push(Finding::new(what, mend).run(format!("sysctl -w net.ipv4.{name}='{usual}'")));
        }
    }
    if measured.is_empty() {
        return Outcome::skipped("the kernel's bounds can't be read here");
    }
    Outcome::of(findings, measured.join(", "))
}
