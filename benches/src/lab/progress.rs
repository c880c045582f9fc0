//! How far a run is, on standard error: one line that changes on a terminal, else a line now and then.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::task::AbortOnDropHandle;

const ON_TERMINAL: Duration = Duration::from_millis(500);
const IN_A_FILE: Duration = Duration::from_secs(10);
const WIDTH: usize = 60;

/// Shows how much has arrived, until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    shares: Vec<Share>,
    _shown: AbortOnDropHandle<()>,
    is_terminal: bool,
}

/// What has arrived at one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Share(Arc<AtomicU64>);

impl Progress {
    /// Begins with nothing at `nodes` nodes, each of which is to get `blob_bytes`.
    pub(super) fn begin(what: String, nodes: usize, blob_bytes: u64) -> Self {
        let shares = vec![(); nodes].into_iter().map(|()| Share::default()).collect::<Vec<_>>();
        let is_terminal = io::stderr().is_terminal();
        let shown = tokio::spawn(show(what, shares.clone(), blob_bytes, is_terminal));
        Self { shares, _shown: AbortOnDropHandle::new(shown), is_terminal }
    }

    /// One for each node.
    pub(super) fn shares(&self) -> &[Share] {
        &self.shares
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            eprint!("\r{:WIDTH$}\r", "");
        }
    }
}

impl Share {
    /// So much is there now.
    pub(super) fn reached(&self, len_bytes: u64) {
        self.0.store(len_bytes, Ordering::Relaxed);
    }
}

async fn show(what: String, shares: Vec<Share>, blob_bytes: u64, is_terminal: bool) {
    let began = Instant::now();
    let all_bytes = (blob_bytes * shares.len() as u64).max(1);
    loop {
        tokio::time::sleep(if is_terminal { ON_TERMINAL } else { IN_A_FILE }).await;
        let arrived: u64 = shares.iter().map(|share| share.0.load(Ordering::Relaxed)).sum();
        let done = shares.iter().filter(|share| share.0.load(Ordering::Relaxed) >= blob_bytes).count();
        let percent = arrived * 100 / all_bytes;
        let line = format!(
            "{what}: {:.0} s, {percent} %, {done} of {} nodes done",
            began.elapsed().as_secs_f64(),
            shares.len()
        );
        if is_terminal {
            eprint!("\r{line:WIDTH$}");
            // Progress that can't be shown is no reason to stop.
            let _ = io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}
