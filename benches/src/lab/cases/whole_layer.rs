//! The case `whole_layer`: a node gets all of the blob from one that has all of it, as mirrors do that know no pieces.
//!
//! It is kinder than those are. A node that waits knows at once when another has the blob and is free, nobody asks the
//! origin while the seed has it, the bytes are neither encrypted nor written to a disk, and who serves them has them
//! in memory.

use futures::{StreamExt, stream::FuturesUnordered};

use super::{
    super::{
        agent::{Pulled, seconds_now},
        args::{LabArgs, Start},
        figures::{Completion, Outcome, Setting},
        hand::Hand,
        hosts::{Hosts, ORIGIN_PORT, blob_url, patience},
        network::Host,
        progress::{Progress, Share},
    },
    since,
};
use crate::rig::{Blob, RigError};

/// Where nodes and the seed serve; rivals may want the origin's port.
const SERVE_PORT: u16 = 5900;
/// How many pull from one node at a time; the others wait. With one, a chain would form; more only share its link.
const SLOTS: u32 = 2;

/// Lets every host but the origin serve the blob. Who has it yet is up to [`pull`].
pub(super) async fn serve_everywhere(hosts: &mut Hosts) -> Result<(), RigError> {
    for hand in hosts.nodes.iter_mut().chain([&mut hosts.seed]) {
        hand.serve(&hosts.blob, SERVE_PORT).await?;
    }
    Ok(())
}

/// All nodes want the blob at once, in the order of their numbers; the random choices of holders differ by run.
pub(super) async fn pull(args: &LabArgs, hosts: &mut Hosts, setting: &Setting) -> Result<Outcome, RigError> {
    let warm = usize::from(args.warm_nodes());
    let what = format!("{} #{}", setting.case, setting.number);
    let progress = Progress::begin(what, hosts.nodes.len() - warm, hosts.blob.len_bytes);
    let blob = &hosts.blob;
    let mut holders = Holders::at_first(args, setting.number, blob);
    let mut waiting = hosts.nodes.iter_mut().skip(warm).zip(progress.shares());
    let mut running = FuturesUnordered::new();
    let mut outcome = Outcome::default();
    let released_at_s = seconds_now();
    loop {
        while let Some(holder) = holders.free() {
            let Some((hand, share)) = waiting.next() else { break };
            holders.all[holder].pullers += 1;
            let url = holders.all[holder].url.clone();
            running.push(pull_one(hand, holder, url, blob, args, share));
        }
        let Some((holder, host, pulled)) = running.next().await else { break };
        holders.all[holder].pullers -= 1;
        match pulled? {
            Ok(pulled) => {
                outcome.completions.push(Completion::of(pulled, released_at_s));
                holders.all.push(Holder { url: blob_url(host, SERVE_PORT, blob), pullers: 0 });
            }
            Err(reason) => outcome.failures.push(format!("after {:.0} s: {reason}", since(released_at_s))),
        }
    }
    Ok(outcome)
}

async fn pull_one(
    hand: &mut Hand,
    holder: usize,
    url: String,
    blob: &Blob,
    args: &LabArgs,
    share: &Share,
) -> (usize, Host, Result<Result<Pulled, String>, RigError>) {
    let pulled = hand.pull(&url, blob, patience(args), share).await;
    (holder, hand.host(), pulled)
}

/// Who has all of the blob.
struct Holders {
    all: Vec<Holder>,
    random: fastrand::Rng,
}

struct Holder {
    url: String,
    pullers: u32,
}

impl Holders {
    fn at_first(args: &LabArgs, run: u32, blob: &Blob) -> Self {
        let held_at = |host| Holder { url: blob_url(host, SERVE_PORT, blob), pullers: 0 };
        let all = match args.start {
            Start::Cold => vec![Holder { url: blob_url(Host::Origin, ORIGIN_PORT, blob), pullers: 0 }],
            Start::Warm => vec![held_at(Host::Seed)],
            Start::Half => {
                let nodes = (1..=args.warm_nodes()).map(Host::Node);
                [Host::Seed].into_iter().chain(nodes).map(held_at).collect()
            }
        };
        Self { all, random: fastrand::Rng::with_seed(u64::from(run)) }
    }

    /// One of those that can serve one more.
    fn free(&mut self) -> Option<usize> {
        let free: Vec<usize> =
            (0..self.all.len()).filter(|holder| self.all[*holder].pullers < SLOTS).collect();
        self.random.choice(free)
    }
}
