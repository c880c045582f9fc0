//! What was seen, in numbers.

use serde::Serialize;

use super::{
    agent::Tally,
    args::LabArgs,
    hosts::Hosts,
    network::{BEST_PAYLOAD_SHARE, Host, burst_bytes},
};
use crate::{
    bound::Crowd,
    record::{Idle, Run, percentile},
    rig::{Process, RigError, Usage},
};

/// With less of the machine idle, processors and not links may have been the limit.
const MIN_IDLE_SHARE: f64 = 0.2;
/// How many reasons of failed nodes are worth reading.
const SHOWN_REASONS: usize = 3;

/// All that was chosen, and what follows from it; what was left out, and why.
#[derive(Debug, Serialize)]
pub(super) struct Setup<'a> {
    #[serde(flatten)]
    args: &'a LabArgs,
    best_payload_share: f64,
    burst_bytes: u64,
    congestion_here: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a str>,
}

/// How one pull went. Seconds count from when all nodes were let go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    /// When the first byte was asked for.
    pub(super) began_s: f64,
    /// How long its first byte took.
    pub(super) first_byte_s: f64,
    /// When the last byte was checked.
    pub(super) ended_s: f64,
}

/// How a crowd's pulls went.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Of those that got the blob.
    pub(super) completions: Vec<Completion>,
    /// Why the others did not.
    pub(super) failures: Vec<String>,
}

/// What counters showed before a crowd was let go.
#[derive(Debug)]
pub(super) struct Before {
    idle: Idle,
    tally: Tally,
    received_bytes: u64,
    seed_sent_bytes: u64,
    usage: Usage,
}

/// All about a run that is chosen and not seen.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) case: String,
    pub(super) number: u32,
    pub(super) crowd: Crowd,
    pub(super) link_bytes_per_s: f64,
}

/// For the record's first line.
pub(super) fn setup<'a>(args: &'a LabArgs, left_out: Option<&'a str>) -> Setup<'a> {
    let congestion = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    Setup {
        args,
        best_payload_share: BEST_PAYLOAD_SHARE,
        burst_bytes: burst_bytes(args.rate),
        congestion_here: congestion.trim().into(),
        left_out,
    }
}

/// Whether another try would be worth while.
pub(super) fn was_busy(run: &Run) -> bool {
    run.figures.get("idle_share").is_some_and(|idle| *idle < MIN_IDLE_SHARE)
}

impl Before {
    /// Looks at the counters.
    pub(super) async fn look(
        hosts: &mut Hosts,
        args: &LabArgs,
        processes: &[Process],
    ) -> Result<Self, RigError> {
        Ok(Self {
            tally: hosts.tally().await?,
            received_bytes: received_bytes(hosts, args)?,
            seed_sent_bytes: hosts.network.sent_bytes(Host::Seed)?,
            usage: usage(processes),
            idle: Idle::begin(),
        })
    }

    /// Looks again, and sums up.
    pub(super) async fn sum_up(
        self,
        hosts: &mut Hosts,
        args: &LabArgs,
        processes: &[Process],
        outcome: &Outcome,
        setting: &Setting,
    ) -> Result<Run, RigError> {
        let idle = self.idle.share();
        let usage = usage(processes);
        let received_bytes = received_bytes(hosts, args)? - self.received_bytes;
        let seed_sent_bytes = hosts.network.sent_bytes(Host::Seed)? - self.seed_sent_bytes;
        let tally = hosts.tally().await?.since(self.tally);
        let blob_bytes = setting.crowd.blob_bytes as f64;
        let delivered_bytes = blob_bytes * outcome.completions.len().max(1) as f64;
        let mut run = timing(outcome, setting)
            .with("origin_gets_per_blob", tally.gets as f64)
            .with("origin_bytes_ratio", tally.sent_bytes as f64 / blob_bytes)
            .with("seed_bytes_ratio", seed_sent_bytes as f64 / blob_bytes)
            .with("overhead_share", received_bytes as f64 / delivered_bytes - 1.0)
            .with("link_share", setting.link_bytes_per_s / setting.crowd.rate_bytes_per_s as f64);
        if !processes.is_empty() {
            run = run
                .with("cpu_s_per_gb", (usage.cpu_s - self.usage.cpu_s) / (delivered_bytes / 1e9))
                .with("cpu_system_s_per_gb", (usage.system_s - self.usage.system_s) / (delivered_bytes / 1e9))
                .with("rss_peak_mib", usage.peak_rss_mib);
        }
        Ok(judged(run, idle, outcome))
    }
}

/// Times and how they compare to what is possible; only the latter when nobody got anything.
pub(super) fn timing(outcome: &Outcome, setting: &Setting) -> Run {
    let sorted = |of: fn(&Completion) -> f64| {
        let mut values: Vec<f64> = outcome.completions.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let bound_s = setting.crowd.bound_s();
    let run = Run::new(setting.case.as_str(), setting.number)
        .with("bound_s", bound_s)
        .with("fluid_bound_s", setting.crowd.fluid_bound_s());
    if outcome.completions.is_empty() {
        return run;
    }
    let ended = sorted(|one| one.ended_s);
    let (p50_s, p99_s, max_s) = (percentile(&ended, 50), percentile(&ended, 99), percentile(&ended, 100));
    let mut run = run
        .with("p50_s", p50_s)
        .with("p99_s", p99_s)
        .with("max_s", max_s)
        .with("p99_over_p50", p99_s / p50_s)
        .with("max_over_bound", max_s / bound_s)
        .with("first_byte_p50_s", percentile(&sorted(|one| one.first_byte_s), 50))
        .with("last_start_s", percentile(&sorted(|one| one.began_s), 100));
    run.series.insert("completion_s".into(), ended);
    run
}

/// Notes what makes the figures say little.
pub(super) fn judged(mut run: Run, idle: Option<f64>, outcome: &Outcome) -> Run {
    if let Some(idle) = idle {
        run = run.with("idle_share", idle);
    }
    if was_busy(&run) {
        run = run
            .without_counting("less than a fifth of the machine was idle: links may not have been the limit");
    }
    if !outcome.failures.is_empty() {
        let reasons = outcome.failures.iter().take(SHOWN_REASONS).cloned().collect::<Vec<_>>().join("; ");
        run = run.without_counting(format!("{} nodes failed: {reasons}", outcome.failures.len()));
    }
    run
}

fn usage(processes: &[Process]) -> Usage {
    processes.iter().map(Process::usage).fold(Usage::default(), |sum, one| Usage {
        cpu_s: sum.cpu_s + one.cpu_s,
        system_s: sum.system_s + one.system_s,
        peak_rss_mib: sum.peak_rss_mib.max(one.peak_rss_mib),
    })
}

/// By the nodes that are measured.
fn received_bytes(hosts: &Hosts, args: &LabArgs) -> Result<u64, RigError> {
    let measured = args.warm_nodes() + 1..=args.nodes;
    measured.map(|number| hosts.network.received_bytes(Host::Node(number))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_node_is_told_and_its_run_does_not_count() {
        let outcome = Outcome {
            completions: vec![Completion { began_s: 0.0, first_byte_s: 0.1, ended_s: 2.0 }],
            failures: vec!["node-2: gone".into()],
        };
        let crowd =
            Crowd { blob_bytes: 1 << 20, pieces: 16, rate_bytes_per_s: 1 << 20, sources: 1, receivers: 2 };
        let setting = Setting { case: "shoal".into(), number: 1, crowd, link_bytes_per_s: 1.0 };
        let run = judged(timing(&outcome, &setting), Some(0.9), &outcome);
        assert!(run.excluded && run.notes[0].contains("node-2: gone"), "{run:?}");
        assert_eq!(run.figures["max_s"], 2.0);
        assert!(!was_busy(&run));
    }
}
