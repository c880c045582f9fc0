//! A Shoal node: the mirror a runtime pulls through, the exchange with other nodes, and the store.

pub mod admin;
pub mod content;
pub mod metrics;
pub mod mirror;
pub mod secure;
pub mod server;
pub mod swarm;
