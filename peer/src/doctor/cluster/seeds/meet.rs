//! Meeting the seeds once, for all checks about them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use shoal_protocol::{identity::NodeKey, membership::ClusterKey};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{super::key_read, Sort};
use crate::{
    doctor::{Context, Finding},
    secure::{self, Credentials, SecureError},
};

/// Resolvers try a second server after five seconds; by then something is wrong enough to be told.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// A handshake across the world takes a fraction of it.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(2500);
/// Most seeds that are met; a few are named.
const MAX_SEEDS: usize = 16;
/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A seed, and what is wrong with it.
#[derive(Debug)]
pub(in super::super) struct Met {
    pub(super) trouble: Option<Trouble>,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Trouble {
    pub(super) sort: Sort,
    pub(super) finding: Finding,
}

/// Meets every seed that is named, once.
pub(super) async fn all(context: &Context) -> Arc<Vec<Met>> {
    let seeds = context.config().swarm.bootstrap.iter().take(MAX_SEEDS);
    let names: Vec<_> = seeds.map(|seed| seed.as_str().to_owned()).collect();
    let credentials = credentials(context);
    let meet = |name: String| {
        let credentials = credentials.clone();
        async move { Met { trouble: meet(&name, credentials.as_ref()).await.err() } }
    };
    context.once(|| join_all(names.into_iter().map(meet))).await
}

/// The cluster key with an identity for this one meeting: the node itself stays connected as it is.
fn credentials(context: &Context) -> Option<Credentials> {
    let cluster = ClusterKey::parse(&key_read::text(context)?).ok()?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).ok()?;
    Credentials::new(NodeKey::from_secret(secret), cluster).ok()
}

/// One address that goes well is enough; else the first one tells what is wrong.
async fn meet(name: &str, credentials: Option<&Credentials>) -> Result<(), Trouble> {
    let addresses = addresses(name).await?;
    let outcomes = join_all(addresses.into_iter().map(|address| call(name, address, credentials))).await;
    if outcomes.iter().any(Result::is_ok) {
        return Ok(());
    }
    outcomes.into_iter().next().unwrap_or(Ok(()))
}

async fn addresses(name: &str) -> Result<Vec<SocketAddr>, Trouble> {
    let found = match timeout(LOOKUP_TIMEOUT, lookup_host(name)).await {
        Ok(Ok(found)) => Ok(found.take(MAX_ADDRESSES).collect::<Vec<_>>()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())),
    };
    let reason = match found {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) => "it has no address".to_owned(),
        Err(reason) => reason,
    };
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    let finding = Finding::new(
        format!("the seed {name} has no address: {reason}"),
        "Correct the name in swarm.bootstrap, or what this host asks for names.",
    );
    Err(Trouble { sort: Sort::Name, finding: finding.run(format!("getent hosts {host}")) })
}

async fn call(name: &str, address: SocketAddr, credentials: Option<&Credentials>) -> Result<(), Trouble> {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(name, address, &error)),
        Err(_) => return Err(black_hole(name, address)),
    };
    let Some(credentials) = credentials else { return Ok(()) };
    match timeout(HANDSHAKE_TIMEOUT, secure::connect(stream, credentials, None)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(name, address, &error)),
        Err(_) => Err(refused(name, address, &SecureError::Timeout(HANDSHAKE_TIMEOUT))),
    }
}

fn unreachable(name: &str, address: SocketAddr, error: &io::Error) -> Trouble {
    let what = format!("the seed {name} can't be reached at {address}: {error}");
    let finding = match error.kind() {
        io::ErrorKind::ConnectionRefused => Finding::new(
            what,
            "Nobody listens there. Start the seed on that host, or correct the port in swarm.bootstrap.",
        )
        .run("systemctl start shoal-seed"),
        _ => Finding::new(what, "Look at the way there.").run(format!("ip route get {}", address.ip())),
    };
    Trouble { sort: Sort::Connection, finding }
}

/// Packets that vanish are a firewall's mark; a host that is off looks the same.
fn black_hole(name: &str, address: SocketAddr) -> Trouble {
    let what = format!(
        "the seed {name} does not answer at {address}: packets vanish, as by a firewall, or the host is off"
    );
    let mend = format!("Open TCP port {} to the seed in every firewall between the two.", address.port());
    Trouble {
        sort: Sort::Connection,
        finding: Finding::new(what, mend).run(format!("ip route get {}", address.ip())),
    }
}

fn refused(name: &str, address: SocketAddr, error: &SecureError) -> Trouble {
    let what = format!("the seed {name} at {address}: {error}");
    let (sort, mend) = match error {
        SecureError::WrongClusterKey { .. } | SecureError::Refused { .. } => (
            Sort::Key,
            "Copy the seed's key, or the member key made of it, into this node's cluster_key_file.",
        ),
        SecureError::Version { .. } => (Sort::Version, "Run the same release on both nodes."),
        _ => (
            Sort::Language,
            "Set swarm.bootstrap to the address of the seed's swarm.listen, port 5021 as a rule.",
        ),
    };
    let finding = Finding::new(what, mend);
    let finding = match sort {
        Sort::Key => finding.run("shoal key member cluster.key"),
        _ => finding,
    };
    Trouble { sort, finding }
}
