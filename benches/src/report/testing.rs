//! Records for tests.

use serde_json::Value;

use super::load::Record;
use crate::record::{Begin, Machine, Run};

/// Of `shoal`, where some run is of it; else of the first run's case.
pub(super) fn record(bench: &str, setup: Value, runs: Vec<Run>) -> Record {
    let begin = Begin {
        bench: bench.into(),
        at: "2026-01-02T03:04:05Z".into(),
        version: "0.1.0".into(),
        machine: Machine { processor: "Test CPU".into(), cores: 2, memory_mib: 4096, kernel: "6.1".into() },
        setup,
        arguments: vec![bench.into(), "--nodes".into(), "16".into()],
    };
    let main = runs.iter().find(|run| run.case == "shoal").or(runs.first());
    let main_case = main.map(|run| run.case.clone());
    Record { path: format!("{bench}.jsonl").into(), begin, runs, main_case }
}

/// Runs of a case with one figure, numbered from 1.
pub(super) fn runs(case: &str, figure: &str, values: &[f64]) -> Vec<Run> {
    values.iter().zip(1..).map(|(value, run)| Run::new(case, run).with(figure, *value)).collect()
}

/// A record in which every string tries to be markup.
pub(super) fn hostile() -> Record {
    const EVIL: &str =
        "</style></svg><script>alert(1)</script>\"'|`[x](javascript:1)\u{1b}[31m\u{202e}\n# head";
    let mut run = Run::new(EVIL, 1).with("max_over_bound", 1.5).with(EVIL, f64::MAX).with("bound_s", 1.0);
    run = run.with("a_p50_ms", 1.0).with("a_p99_ms", -2.0).with("cpu_s_per_gb", 1e-320);
    run.series.insert("completion_s".into(), vec![1.0, -4.0, f64::INFINITY]);
    run.notes.push(EVIL.into());
    let mut record = record(EVIL, serde_json::json!({ "nodes": 3, EVIL: { EVIL: [EVIL, null] } }), vec![run]);
    record.begin.at = EVIL.into();
    record.begin.version = EVIL.into();
    record.begin.machine.processor = EVIL.into();
    record.begin.arguments = vec!["lab".into(), EVIL.replace(['\n', '\u{1b}', '\u{202e}'], " ")];
    record
}
