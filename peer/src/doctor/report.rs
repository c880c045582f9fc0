//! What came of all checks.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Check, Finding, Severity};

/// Version of the JSON that [`Report::to_json`] makes. It grows when a field changes its meaning or goes away; a new
/// field leaves it as it is.
pub const SCHEMA: u32 = 1;

/// Where a finding is explained.
const PAGE: &str = "docs/doctor.md";

/// What came of all checks, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each check.
    pub checks: Vec<CheckReport>,
    /// How long all of them took together.
    pub took: Duration,
}

/// What came of one check.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The check.
    pub check: &'static Check,
    /// What came of it.
    pub state: State,
    /// How long it took.
    pub took: Duration,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All is well; with what was measured.
    Well(String),
    /// Something is wrong.
    Wrong(Vec<Finding>),
    /// There was nothing to look at, or what it builds on is not well.
    Skipped(String),
    /// The probe itself broke: a fault in Shoal.
    Crashed(String),
    /// The probe did not end in time.
    TimedOut(Duration),
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All is well.
    pub ok: usize,
    /// Warnings.
    pub warnings: usize,
    /// Failures.
    pub failures: usize,
    /// Not looked at.
    pub skipped: usize,
}

impl Report {
    /// How many checks ended how.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for report in &self.checks {
            *match (report.problem(), &report.state) {
                (Some(Severity::Failure), _) => &mut summary.failures,
                (Some(Severity::Warning), _) => &mut summary.warnings,
                (None, State::Skipped(_)) => &mut summary.skipped,
                (None, _) => &mut summary.ok,
            } += 1;
        }
        summary
    }

    /// The checks that found something, failures before warnings, otherwise in their order.
    pub fn problems(&self) -> Vec<&CheckReport> {
        let mut problems: Vec<_> = self.checks.iter().filter(|report| report.problem().is_some()).collect();
        problems.sort_by_key(|report| report.problem());
        problems
    }

    /// The one command to run next; `None` when all is well.
    pub fn next(&self) -> Option<String> {
        let first = self.problems().first().copied()?;
        let command = first.findings().iter().find_map(|finding| finding.mend.commands.first().cloned());
        Some(command.unwrap_or_else(|| format!("shoal doctor --explain {}", first.check.id)))
    }

    /// The report for programs; [`SCHEMA`] is its version.
    pub fn to_json(&self) -> Value {
        let Summary { ok, warnings, failures, skipped } = self.summary();
        json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "took_ms": whole_ms(self.took),
            "summary": { "ok": ok, "warnings": warnings, "failures": failures, "skipped": skipped },
            "checks": self.checks.iter().map(CheckReport::to_json).collect::<Vec<_>>(),
            "next": self.next(),
        })
    }
}

impl CheckReport {
    /// How bad it is; `None` when nothing was found.
    pub fn problem(&self) -> Option<Severity> {
        match self.state {
            State::Well(_) | State::Skipped(_) => None,
            State::Wrong(_) | State::Crashed(_) | State::TimedOut(_) => Some(self.check.severity),
        }
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        match &self.state {
            State::Wrong(findings) => findings,
            _ => &[],
        }
    }

    fn to_json(&self) -> Value {
        let mut value = json!({
            "id": self.check.id,
            "category": self.check.category,
            "severity": self.check.severity,
            "title": self.check.title,
            "why": self.check.why,
            "anchor": anchor(self.check),
            "state": self.state.label(),
            "findings": self.findings(),
            "took_ms": whole_ms(self.took),
        });
        if let Some((key, text)) = self.state.detail() {
            value[key] = text.into();
        }
        value
    }
}

impl State {
    fn label(&self) -> &'static str {
        match self {
            Self::Well(_) => "ok",
            Self::Wrong(_) => "found",
            Self::Skipped(_) => "skipped",
            Self::Crashed(_) => "crashed",
            Self::TimedOut(_) => "timed_out",
        }
    }

    fn detail(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Well(measured) => Some(("measured", measured.clone())),
            Self::Wrong(_) => None,
            Self::Skipped(reason) | Self::Crashed(reason) => Some(("reason", reason.clone())),
            Self::TimedOut(deadline) => Some(("reason", late(*deadline))),
        }
    }
}

/// The place in the documentation that explains a check.
pub(super) fn anchor(check: &Check) -> String {
    format!("{PAGE}#{}", check.id)
}

pub(super) fn late(deadline: Duration) -> String {
    format!("it did not end within {} s", deadline.as_secs_f32())
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
