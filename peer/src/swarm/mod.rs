//! The swarm: who is connected to whom, gossip that reaches everyone, and streams between any two.
//!
//! One task owns libp2p and everything here; [`SwarmHandle`] talks to it through a bounded channel, and what happens
//! comes out as [`SwarmEvent`]s through another. No libp2p type leaves this module. The task never waits for whoever
//! reads the events: what has no room is dropped and counted, but for nodes coming and going.

mod address;
mod backoff;
mod behaviour;
mod bootstrap;
mod config;
mod event;
mod handle;
mod outbox;
mod peer_table;
mod streams;
mod task;
mod transport;

#[cfg(test)]
mod tests;

use tokio::sync::mpsc;

pub use config::{StartError, SwarmConfig};
pub use event::{AsyncReadWrite, BoxStream, Protocol, SwarmCounters, SwarmEvent};
pub use handle::{OpenError, OpenReason, PublishError, SwarmHandle};

/// Events that may wait in the channel for their reader.
const EVENTS: usize = 1024;
/// Commands that may wait for the task.
const COMMANDS: usize = 256;

/// Binds the addresses and starts the swarm's task on the current runtime.
///
/// # Errors
/// When an address can't be bound, or the configuration makes no sense.
pub fn start(config: SwarmConfig) -> Result<(SwarmHandle, mpsc::Receiver<SwarmEvent>), StartError> {
    let (event_sender, events) = mpsc::channel(EVENTS);
    let (command_sender, commands) = mpsc::channel(COMMANDS);
    let handle = SwarmHandle::new(config.credentials.node_id(), command_sender);
    let task = task::Task::new(config, commands, event_sender, handle.shared())?;
    tokio::spawn(task.run());
    Ok((handle, events))
}
