//! Who brings the blob to the nodes. Each case begins with nothing of an earlier one.

mod crowd;
mod rival;
mod shoal;
mod whole_layer;

use super::{
    agent::seconds_now,
    args::{Case, LabArgs, Start},
    figures::{Before, Setting},
    hosts::Hosts,
};
use crate::{
    bound::{Crowd, pieces_of},
    record::Run,
    rig::{RigError, shoal_binary},
};

/// What is missing, before anything is made.
pub(super) fn check(cases: &[Case], args: &LabArgs) -> Result<(), RigError> {
    if cases.contains(&Case::Shoal) {
        shoal_binary(args.shoal.as_deref())?;
    }
    Ok(())
}

/// What is chosen for a run of a case, and what its links could do.
pub(super) fn setting(case: Case, args: &LabArgs, number: u32, link_bytes_per_s: f64) -> Setting {
    Setting { case: case.name(args).to_owned(), number, crowd: crowd_of(case, args), link_bytes_per_s }
}

/// One run of one case.
pub(super) async fn measure(
    case: Case,
    args: &LabArgs,
    setting: &Setting,
    hosts: &mut Hosts,
) -> Result<Run, RigError> {
    match case {
        Case::Shoal => {
            let cluster = shoal::Cluster::start(args, hosts).await?;
            let before = Before::look(hosts, args, &cluster.processes).await?;
            let outcome = crowd::pull(args, hosts, setting, &cluster.urls).await?;
            before.sum_up(hosts, args, &cluster.processes, &outcome, setting).await
        }
        Case::Rival => {
            let rivals = rival::Rivals::start(args, hosts).await?;
            let before = Before::look(hosts, args, &rivals.processes).await?;
            let outcome = crowd::pull(args, hosts, setting, &rivals.urls).await?;
            before.sum_up(hosts, args, &rivals.processes, &outcome, setting).await
        }
        Case::Direct => {
            let urls = vec![hosts.origin_url(); hosts.nodes.len()];
            let before = Before::look(hosts, args, &[]).await?;
            let outcome = crowd::pull(args, hosts, setting, &urls).await?;
            before.sum_up(hosts, args, &[], &outcome, setting).await
        }
        Case::WholeLayer => {
            whole_layer::serve_everywhere(hosts).await?;
            let before = Before::look(hosts, args, &[]).await?;
            let outcome = whole_layer::pull(args, hosts, setting).await?;
            before.sum_up(hosts, args, &[], &outcome, setting).await
        }
    }
}

/// The origin counts as a source only where nobody else has the blob: each case is held against the same bound.
fn crowd_of(case: Case, args: &LabArgs) -> Crowd {
    let warm = u32::from(args.warm_nodes());
    let sources = match (args.start, case) {
        (Start::Half, Case::Rival) => warm,
        (Start::Half, _) => warm + 1,
        (Start::Warm | Start::Cold, _) => 1,
    };
    Crowd {
        blob_bytes: args.blob.0,
        pieces: pieces_of(args.blob.0),
        rate_bytes_per_s: args.rate.0,
        sources,
        receivers: u32::from(args.nodes) - warm,
    }
}

/// Seconds from `released_at_s`, a time of day, until now.
fn since(released_at_s: f64) -> f64 {
    seconds_now() - released_at_s
}
