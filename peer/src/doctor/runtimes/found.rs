//! What a look at this host finds of a runtime, and checks that look no further.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::told::unless_others_are_told;
use crate::doctor::{Context, Finding, Outcome};

/// What a look at this host finds of a runtime.
pub(in crate::doctor) enum Found<R> {
    /// It does not pull images here, and why.
    Absent(&'static str),
    /// Its files can't be understood.
    Unreadable(String),
    /// All that the checks look at.
    Here(Box<R>),
}

/// A runtime as its files make it.
pub(in crate::doctor) trait Files: Sized + Send + Sync + 'static {
    /// What to say of a check when they can't be understood, which the check that all others build on tells.
    const UNREADABLE: &'static str;

    /// Looks at this host.
    fn look(context: &Context) -> impl Future<Output = Found<Self>> + Send;

    /// Whether some file names the mirror, even one that is not read.
    fn is_told(&self) -> bool;
}

/// Looks at this host once for all checks.
pub(in crate::doctor) async fn found<R: Files>(context: &Context) -> Arc<Found<R>> {
    context.once(|| R::look(context)).await
}

/// A check that looks at a runtime's files and finds what is wrong with them.
pub(super) fn examine<R: Files>(
    context: Arc<Context>,
    find: fn(&R) -> Vec<Finding>,
    well: &'static str,
) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { look_into(&context, find, well).await })
}

/// The same for a fault that is none where another runtime is told of the mirror.
pub(super) fn examine_told<R: Files>(
    context: Arc<Context>,
    find: fn(&R) -> Vec<Finding>,
) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let outcome = look_into(&context, find, "its files name the mirror").await;
        unless_others_are_told(&context, outcome).await
    })
}

async fn look_into<R: Files>(context: &Context, find: fn(&R) -> Vec<Finding>, well: &'static str) -> Outcome {
    match &*found::<R>(context).await {
        Found::Absent(reason) => Outcome::skipped(*reason),
        Found::Unreadable(_) => Outcome::skipped(R::UNREADABLE),
        Found::Here(runtime) => Outcome::of(find(runtime), well),
    }
}
