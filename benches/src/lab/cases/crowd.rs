//! Every node that lacks the blob pulls it, all at once.

use futures::future::join_all;

use super::super::{
    agent::{Pulled, seconds_now},
    args::LabArgs,
    figures::{Completion, Outcome, Setting},
    hosts::{Hosts, patience},
    progress::Progress,
};
use crate::rig::RigError;

/// Lets go all nodes that have not the blob yet, each with its URL of `urls`, and waits for the last.
pub(super) async fn pull(
    args: &LabArgs,
    hosts: &mut Hosts,
    setting: &Setting,
    urls: &[String],
) -> Result<Outcome, RigError> {
    let warm = usize::from(args.warm_nodes());
    let what = format!("{} #{}", setting.case, setting.number);
    let progress = Progress::begin(what, hosts.nodes.len() - warm, hosts.blob.len_bytes);
    let (blob, within) = (&hosts.blob, patience(args));
    let pullers = hosts.nodes.iter_mut().zip(urls).skip(warm).zip(progress.shares());
    let pulls = pullers.map(|((hand, url), share)| hand.pull(url, blob, within, share));
    let released_at_s = seconds_now();
    let mut outcome = Outcome::default();
    for pulled in join_all(pulls).await {
        match pulled? {
            Ok(pulled) => outcome.completions.push(Completion::of(pulled, released_at_s)),
            Err(reason) => outcome.failures.push(reason),
        }
    }
    Ok(outcome)
}

impl Completion {
    /// Counts a pull's times from when all were let go.
    pub(super) fn of(pulled: Pulled, released_at_s: f64) -> Self {
        Self {
            began_s: pulled.began_at_s - released_at_s,
            first_byte_s: pulled.first_byte_s,
            ended_s: pulled.ended_at_s - released_at_s,
        }
    }
}
