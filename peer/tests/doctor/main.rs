//! `shoal doctor` on nodes with a planted fault: it is found, and its mend is the right one.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes the helpers of tests for code that serves others"
)]

mod cluster;
mod command;
mod configuration;
mod disk;
mod docs;
mod healthy;
mod host;
mod node;
mod patient;
mod registries;
mod registry_tls;
mod runtimes;
mod server;
mod settings;
