//! Where others reach this node.

use std::{net::SocketAddr, time::Duration};

use shoal_protocol::bounds::MAX_ADDRESSES;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::StartError;
use crate::{config::Config, swarm::SwarmEvent};

/// The swarm tells its first address by then.
const FIRST_ADDRESS: Duration = Duration::from_secs(5);
/// And those of other interfaces by then.
const MORE_ADDRESSES: Duration = Duration::from_millis(100);

/// Events kept meanwhile; a node that is met that early is not met by more.
const MAX_EARLY: usize = 1024;

/// What a node announces of itself.
pub(super) struct Addresses {
    pub(super) swarm: Vec<SocketAddr>,
    pub(super) lane: Vec<SocketAddr>,
    /// What else the swarm told in the meantime: nodes may be connected already.
    pub(super) early: Vec<SwarmEvent>,
}

/// The configured addresses, or those of the interfaces that the node listens on.
pub(super) async fn find(
    config: &Config,
    events: &mut mpsc::Receiver<SwarmEvent>,
    lane_port: u16,
) -> Result<Addresses, StartError> {
    let (listening, early) = listening(events).await;
    let found = listening.first().ok_or_else(|| {
        StartError(format!("swarm.listen {}: no interface has such an address", config.swarm.listen))
    })?;
    tracing::debug!(?listening, %found, "listening for other nodes");
    let mut swarm = config.swarm.advertise.clone();
    if swarm.is_empty() {
        swarm.clone_from(&listening);
    }
    let mut lane = config.lane.advertise.clone();
    if lane.is_empty() {
        let listens_anywhere = config.lane.listen.ip().is_unspecified();
        let hosts = swarm.iter().map(SocketAddr::ip);
        lane = if listens_anywhere {
            hosts.map(|host| SocketAddr::new(host, lane_port)).collect()
        } else {
            vec![SocketAddr::new(config.lane.listen.ip(), lane_port)]
        };
    }
    swarm.truncate(MAX_ADDRESSES);
    lane.truncate(MAX_ADDRESSES);
    Ok(Addresses { swarm, lane, early })
}

/// Loopback counts only where there is nothing else: to others it would be themselves.
async fn listening(events: &mut mpsc::Receiver<SwarmEvent>) -> (Vec<SocketAddr>, Vec<SwarmEvent>) {
    let (mut found, mut early) = (Vec::new(), Vec::new());
    let mut deadline = Instant::now() + FIRST_ADDRESS;
    while let Ok(Some(event)) = timeout_at(deadline, events.recv()).await {
        match event {
            SwarmEvent::Listening { address } => {
                found.push(address);
                deadline = Instant::now() + MORE_ADDRESSES;
            }
            other if early.len() < MAX_EARLY => early.push(other),
            _ => {}
        }
    }
    if found.iter().any(|address| !address.ip().is_loopback()) {
        found.retain(|address| !address.ip().is_loopback());
    }
    (found, early)
}
