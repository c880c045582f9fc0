//! The configured nodes to begin with: names are looked up anew each time, and tried for ever.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{net::lookup_host, task::JoinSet};

use super::{
    StartError,
    address::is_dialable,
    backoff::{Backoff, jittered, shuffle},
};

/// Pause after an attempt that brought no connection, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Pause while connected: so that a cluster that fell apart finds together again.
const RECHECK: Duration = Duration::from_secs(300);
/// A resolver that takes longer is not working.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// A headless service may stand for a thousand nodes; each attempt takes some of them.
const MAX_DIALS_PER_ATTEMPT: usize = 8;

/// All entries, each with its own schedule.
pub(super) struct Bootstrap {
    entries: Vec<Entry>,
    lookups: JoinSet<Found>,
}

/// What became of a look-up.
pub(super) struct Found {
    entry: usize,
    addresses: io::Result<Vec<SocketAddr>>,
}

struct Entry {
    name: String,
    backoff: Backoff,
    /// `None` while a look-up runs.
    try_at: Option<Instant>,
}

impl Bootstrap {
    /// A schedule for `names`, due at once.
    pub(super) fn new(names: Vec<String>) -> Result<Self, StartError> {
        let entries = names.into_iter().map(Entry::new).collect::<Result<_, _>>()?;
        Ok(Self { entries, lookups: JoinSet::new() })
    }

    /// Starts to look up what is due.
    pub(super) fn start_due(&mut self) {
        let now = Instant::now();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.try_at.is_some_and(|at| at <= now) {
                entry.try_at = None;
                let name = entry.name.clone();
                self.lookups.spawn(async move { Found { entry: index, addresses: look_up(&name).await } });
            }
        }
    }

    /// The next look-up that ends; pending while none runs.
    pub(super) async fn next_found(&mut self) -> Found {
        loop {
            match self.lookups.join_next().await {
                Some(Ok(found)) => return found,
                Some(Err(error)) => tracing::error!(%error, "a look-up failed to run"),
                None => std::future::pending().await,
            }
        }
    }

    /// Which addresses to dial, and when to look again: later when one of them is connected already. Addresses of
    /// this node itself (`is_own`) are left out.
    pub(super) fn handle_found(
        &mut self,
        found: Found,
        is_own: impl Fn(&SocketAddr) -> bool,
        is_connected: impl Fn(&SocketAddr) -> bool,
    ) -> Vec<SocketAddr> {
        let Some(entry) = self.entries.get_mut(found.entry) else { return Vec::new() };
        let mut addresses = found.addresses.unwrap_or_else(|error| {
            tracing::warn!(name = entry.name, %error, "cannot look up bootstrap node, will retry");
            Vec::new()
        });
        addresses.retain(|address| is_dialable(address) && !is_own(address));
        if addresses.iter().any(is_connected) {
            entry.backoff.reset();
            entry.try_at = Some(Instant::now() + jittered(RECHECK));
            return Vec::new();
        }
        entry.try_at = Some(Instant::now() + entry.backoff.next_delay());
        shuffle(&mut addresses);
        addresses.truncate(MAX_DIALS_PER_ATTEMPT);
        addresses
    }

    /// This node has lost its last connection: everything is due at once.
    pub(super) fn handle_alone(&mut self) {
        for entry in &mut self.entries {
            entry.backoff.reset();
            if let Some(at) = &mut entry.try_at {
                *at = Instant::now();
            }
        }
    }
}

impl Entry {
    fn new(name: String) -> Result<Self, StartError> {
        let valid = name
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
        if !valid {
            return Err(StartError::Bootstrap(name));
        }
        Ok(Self { name, backoff: Backoff::new(RETRY.0, RETRY.1), try_at: Some(Instant::now()) })
    }
}

async fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup_host(name)).await;
    found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(Iterator::collect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_host_or_port_is_refused_by_name() {
        for name in ["seed.example", ":5021", "seed.example:", "seed.example:http", "seed.example:0", ""] {
            let refused = Bootstrap::new(vec![name.to_owned()]).err();
            assert!(matches!(refused, Some(StartError::Bootstrap(named)) if named == name), "{name}");
        }
        for name in ["seed.example:5021", "10.0.0.1:5021", "[::1]:5021"] {
            assert!(Bootstrap::new(vec![name.to_owned()]).is_ok(), "{name}");
        }
    }

    #[tokio::test]
    async fn own_addresses_are_skipped_and_a_connected_one_is_enough() {
        let mut bootstrap = Bootstrap::new(vec!["127.0.0.1:5021".to_owned()]).unwrap();
        bootstrap.start_due();
        let found = bootstrap.next_found().await;
        assert!(bootstrap.handle_found(found, |_| true, |_| false).is_empty());
        bootstrap.handle_alone();
        bootstrap.start_due();
        let found = bootstrap.next_found().await;
        assert_eq!(bootstrap.handle_found(found, |_| false, |_| false), ["127.0.0.1:5021".parse().unwrap()]);
        bootstrap.handle_alone();
        bootstrap.start_due();
        let found = bootstrap.next_found().await;
        assert!(bootstrap.handle_found(found, |_| false, |_| true).is_empty());
    }
}
