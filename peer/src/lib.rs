//! A Shoal node: the mirror a runtime pulls through, the exchange with other nodes, and the store.

pub mod cli;
pub mod config;
pub mod content;
pub mod demo;
pub mod logging;
pub mod secure;
pub mod swarm;
