//! Running checks: side by side, each under its deadline, and after those that it builds on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{task::JoinError, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Check, CheckReport, Context, Needs, Outcome, Report, State};

/// Probes under way at a time: they wait for sockets rather than compute.
const MAX_RUNNING: usize = 32;

/// Runs `checks`, and reports in their order. With [`Context::is_pre`], those that need a node are left out.
pub async fn diagnose(context: &Arc<Context>, checks: &[&'static Check]) -> Report {
    let started = Instant::now();
    let wanted = |check: &&&'static Check| !context.is_pre() || check.needs == Needs::Nothing;
    let checks: Vec<_> = checks.iter().filter(wanted).copied().collect();
    let mut round = Round { waiting: checks.clone(), ..Round::default() };
    round.start_ready(context);
    while let Some(report) = round.running.next().await {
        round.under_way.remove(report.check.id);
        round.ended.insert(report.check.id, report);
        round.start_ready(context);
    }
    let mut ended = round.ended;
    let checks = checks.iter().filter_map(|check| ended.remove(check.id)).collect();
    Report { checks, took: started.elapsed() }
}

#[derive(Default)]
struct Round {
    waiting: Vec<&'static Check>,
    under_way: BTreeSet<&'static str>,
    ended: BTreeMap<&'static str, CheckReport>,
    running: FuturesUnordered<BoxFuture<'static, CheckReport>>,
}

impl Round {
    /// Starts what can start, and settles without a probe what can't say anything now. One pass settles all that
    /// depends on it, as checks stand after those that they build on, or another pass follows.
    fn start_ready(&mut self, context: &Arc<Context>) {
        loop {
            let before = self.waiting.len();
            for check in std::mem::take(&mut self.waiting) {
                match self.readiness(check) {
                    Readiness::Blocked(reason) => {
                        let state = State::Skipped(reason);
                        self.ended.insert(check.id, CheckReport { check, state, took: Duration::ZERO });
                    }
                    Readiness::Ready if self.running.len() < MAX_RUNNING => {
                        self.under_way.insert(check.id);
                        self.running.push(Box::pin(examine(check, Arc::clone(context))));
                    }
                    Readiness::Ready | Readiness::Waits => self.waiting.push(check),
                }
            }
            if self.waiting.len() == before {
                return;
            }
        }
    }

    fn readiness(&self, check: &Check) -> Readiness {
        for id in check.depends_on {
            let is_coming = self.waiting.iter().any(|other| other.id == *id);
            match self.ended.get(id).map(|report| &report.state) {
                Some(State::Well(_)) => {}
                Some(State::Skipped(reason)) => return Readiness::Blocked(reason.clone()),
                Some(_) => return Readiness::Blocked(format!("{id} is not well")),
                None if is_coming || self.under_way.contains(id) => return Readiness::Waits,
                // It was not asked for: this check stands on its own.
                None => {}
            }
        }
        Readiness::Ready
    }
}

enum Readiness {
    Ready,
    Waits,
    Blocked(String),
}

async fn examine(check: &'static Check, context: Arc<Context>) -> CheckReport {
    let started = Instant::now();
    let probe = AbortOnDropHandle::new(tokio::spawn((check.probe)(context)));
    let state = match timeout(check.deadline, probe).await {
        Ok(Ok(outcome)) => outcome.into(),
        Ok(Err(error)) => State::Crashed(crash(error)),
        Err(_) => State::TimedOut(check.deadline),
    };
    CheckReport { check, state, took: started.elapsed() }
}

fn crash(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "its task was cancelled".to_owned() };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    format!("a fault in this check: {text}")
}

impl From<Outcome> for State {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Well(measured) => Self::Well(measured),
            Outcome::Wrong(findings) => Self::Wrong(findings),
            Outcome::Skipped(reason) => Self::Skipped(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Inputs,
        configure::Root,
        doctor::{Finding, Severity, Situation},
    };

    const WELL: Check = Check::WELL;
    const WRONG: Check = Check {
        id: "wrong",
        severity: Severity::Warning,
        probe: |_| Box::pin(async { Outcome::wrong(Finding::new("broken", "mend it").run("mend")) }),
        ..WELL
    };
    const SLOW: Check = Check {
        id: "slow",
        deadline: Duration::from_millis(20),
        probe: |_| Box::pin(std::future::pending()),
        ..WELL
    };
    const BREAKS: Check = Check { id: "breaks", probe: |_| Box::pin(async { panic!("a bug") }), ..WELL };
    const AFTER_WRONG: Check = Check { id: "after-wrong", depends_on: &["well", "wrong"], ..WELL };
    const AFTER_THAT: Check = Check { id: "after-that", depends_on: &["after-wrong"], ..WELL };
    const AFTER_SLOW: Check = Check { id: "after-slow", depends_on: &["slow"], ..WELL };
    const AFTER_WELL: Check = Check { id: "after-well", depends_on: &["well"], needs: Needs::Node, ..WELL };

    async fn states(is_pre: bool, checks: &[&'static Check]) -> Vec<(&'static str, State)> {
        let (root, inputs) = (Root::new("/nowhere"), Inputs::default());
        let context = Arc::new(Context::new(Situation { root, inputs, is_pre }));
        let report = diagnose(&context, checks).await;
        report.checks.into_iter().map(|report| (report.check.id, report.state)).collect()
    }

    #[tokio::test]
    async fn each_ends_in_its_way_and_in_its_place() {
        let ended = states(false, &[&AFTER_WELL, &SLOW, &BREAKS, &WRONG, &WELL]).await;
        let [after_well, slow, breaks, wrong, well] = &ended[..] else { panic!("{ended:?}") };
        assert_eq!(
            (after_well, well),
            (&("after-well", State::Well("fine".into())), &("well", State::Well("fine".into())))
        );
        assert_eq!(slow.1, State::TimedOut(SLOW.deadline));
        assert!(matches!(&breaks.1, State::Crashed(reason) if reason.contains("a bug")), "{breaks:?}");
        assert!(
            matches!(&wrong.1, State::Wrong(findings) if findings[0].mend.commands == ["mend"]),
            "{wrong:?}"
        );
    }

    #[tokio::test]
    async fn those_that_build_on_what_is_not_well_stay_quiet() {
        let ended = states(false, &[&WELL, &WRONG, &AFTER_WRONG, &AFTER_THAT, &SLOW, &AFTER_SLOW]).await;
        let skipped = |id: &str| ended.iter().find(|(known, _)| *known == id).map(|(_, state)| state.clone());
        assert_eq!(skipped("after-wrong"), Some(State::Skipped("wrong is not well".into())));
        assert_eq!(skipped("after-that"), Some(State::Skipped("wrong is not well".into())));
        assert_eq!(skipped("after-slow"), Some(State::Skipped("slow is not well".into())));
    }

    #[tokio::test]
    async fn before_a_start_nothing_is_asked_of_the_node() {
        let ended = states(true, &[&WELL, &AFTER_WELL]).await;
        assert_eq!(ended, [("well", State::Well("fine".into()))]);
    }

    #[tokio::test]
    async fn probes_run_side_by_side() {
        const SLEEPS: Check = Check {
            probe: |_| {
                Box::pin(async {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Outcome::well("")
                })
            },
            ..WELL
        };
        let started = Instant::now();
        states(false, &[&SLEEPS; 16]).await;
        assert!(started.elapsed() < Duration::from_millis(1600), "{:?}", started.elapsed());
    }
}
