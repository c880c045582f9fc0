//! A Shoal node: the mirror a runtime pulls through, the exchange with other nodes, and the store.

pub mod access;
pub mod admin;
pub mod buffers;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod configure;
pub mod content;
pub mod demo;
pub mod exchange;
mod framed;
pub mod identity_file;
pub mod import;
pub mod inventory;
pub mod lane;
pub mod logging;
pub mod metrics;
pub mod mirror;
pub mod node;
pub mod query;
pub mod reference;
pub mod secure;
pub mod server;
pub mod store;
pub mod swarm;
