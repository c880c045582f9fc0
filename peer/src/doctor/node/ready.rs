//! The node is ready.

use std::sync::Arc;

use http::StatusCode;

use super::Status;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "node-ready",
    category: Category::Node,
    severity: Severity::Failure,
    depends_on: &["node-answers"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the node is ready",
    why: "A node that knows no seed serves only what other nodes have; one whose disk failed keeps nothing more.",
    mend: "Each condition that does not hold says what it waits for.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let unit = Status::unit(&context).await;
    let answer = match context.admin().get("/readyz").await {
        Ok(answer) if answer.status == StatusCode::OK => return Outcome::well("every condition holds"),
        Ok(answer) => answer,
        Err(error) => return Outcome::wrong(see_log(error.to_string(), unit)),
    };
    let text = String::from_utf8_lossy(&answer.body);
    let waiting = text.lines().filter_map(|line| line.strip_prefix("wait ")?.split_once(": "));
    let findings: Vec<_> = waiting.map(|(condition, reason)| finding(condition, reason, unit)).collect();
    match findings.is_empty() {
        true => Outcome::wrong(see_log(format!("/readyz answers {}", answer.status), unit)),
        false => Outcome::Wrong(findings),
    }
}

fn finding(condition: &str, reason: &str, unit: &str) -> Finding {
    let what = format!("{condition}: {reason}");
    match condition {
        "seed" => {
            Finding::new(what, "Look at the seeds one by one, from here.").run("shoal doctor --pre cluster")
        }
        "store" => {
            Finding::new(what, "Mend the disk, then restart the node.").run("dmesg --level=err,crit | tail")
        }
        _ => see_log(what, unit),
    }
}

fn see_log(what: String, unit: &str) -> Finding {
    Finding::new(what, "Look at the node's log.").run(format!("journalctl -u {unit} -n 50"))
}
