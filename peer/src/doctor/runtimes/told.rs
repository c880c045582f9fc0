//! Runtimes that are there and not told of the mirror: a fault only if no other one is told either.
//!
//! Who pulls with one runtime may have others as tools.

use std::sync::Arc;

use super::{containerd, containers, docker};
use crate::doctor::{Context, Outcome};

/// `outcome`, unless it is about a runtime without the mirror on a host where another one has it.
pub(super) async fn unless_others_are_told(context: &Arc<Context>, outcome: Outcome) -> Outcome {
    if !matches!(outcome, Outcome::Wrong(_)) {
        return outcome;
    }
    match told(context).await.first() {
        Some(other) => Outcome::skipped(format!("it is not told of the mirror; {other} is")),
        None => outcome,
    }
}

async fn told(context: &Arc<Context>) -> Vec<&'static str> {
    let mut told = Vec::new();
    if let containerd::Found::Here(found) = &*context.once(|| containerd::Found::look(context)).await
        && found.is_told()
    {
        told.push("containerd");
    }
    if let docker::Found::Here(found) = &*context.once(|| docker::Found::look(context)).await
        && found.is_told()
    {
        told.push("Docker");
    }
    if let containers::Found::Here(found) = &*context.once(|| containers::Found::look(context)).await
        && found.is_told()
    {
        told.push("Podman or CRI-O");
    }
    told
}
