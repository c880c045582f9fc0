//! A Shoal node: the mirror a runtime pulls through, the exchange with other nodes, and the store.

pub mod admin;
pub mod cli;
pub mod config;
pub mod content;
pub mod demo;
pub mod identity_file;
pub mod lane;
pub mod logging;
pub mod metrics;
pub mod mirror;
pub mod secure;
pub mod server;
pub mod store;
pub mod swarm;
