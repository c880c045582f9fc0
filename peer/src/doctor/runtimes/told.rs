//! Runtimes that are there and not told of the mirror: a fault only if no other one is told either.
//!
//! Who pulls with one runtime may have others as tools.

use super::{
    containerd::Containerd,
    containers::Containers,
    docker::Docker,
    found::{Files, Found, found},
};
use crate::doctor::{Context, Outcome};

/// `outcome`, unless it is about a runtime without the mirror on a host where another one has it.
pub(super) async fn unless_others_are_told(context: &Context, outcome: Outcome) -> Outcome {
    if !matches!(outcome, Outcome::Wrong(_)) {
        return outcome;
    }
    match told(context).await.first() {
        Some(other) => Outcome::skipped(format!("it is not told of the mirror; {other} is")),
        None => outcome,
    }
}

async fn told(context: &Context) -> Vec<&'static str> {
    let told = [
        (is_told::<Containerd>(context).await, "containerd"),
        (is_told::<Docker>(context).await, "Docker"),
        (is_told::<Containers>(context).await, "Podman or CRI-O"),
    ];
    told.into_iter().filter_map(|(is_told, name)| is_told.then_some(name)).collect()
}

async fn is_told<R: Files>(context: &Context) -> bool {
    matches!(&*found::<R>(context).await, Found::Here(runtime) if runtime.is_told())
}
