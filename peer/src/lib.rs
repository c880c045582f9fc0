//! A Shoal node: the mirror a runtime pulls through, the exchange with other nodes, and the store.

pub mod admin;
pub mod content;
pub mod identity_file;
pub mod lane;
pub mod metrics;
pub mod mirror;
pub mod cli;
pub mod config;
pub mod content;
pub mod demo;
pub mod logging;
pub mod secure;
pub mod server;
pub mod swarm;
pub mod store;
