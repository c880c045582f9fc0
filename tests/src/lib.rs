//! Shoal's tests across crates, and the harness they share: real registries, real runtimes, real nodes.
//!
//! Invariant: whatever a test starts, it owns. Processes end by their id when the value that started them is dropped,
//! ports are the test's own, files live in a folder that goes with it. Every wait has a deadline.
//!
//! A failure of the harness itself panics with what was wrong: it is the test that has to stop. What a test judges
//! (did the pull succeed?) comes back as a `Result`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness that is broken fails the test that uses it, loudly"
)]

pub mod cluster;
pub mod compatibility;
pub mod containerd;
pub mod cri;
pub mod crowd;
pub mod debian;
pub mod docker;
pub mod fixtures;
pub mod guarded;
pub mod http;
pub mod hub;
pub mod image;
pub mod liar;
pub mod lone_seed;
pub mod metrics;
pub mod path_prefixed;
pub mod ports;
pub mod process;
pub mod push;
pub mod registry;
pub mod relay;
pub mod scratch;
pub mod shoal;
pub mod signed;
pub mod stored;
pub mod tiny_http;
pub mod token_service;
pub mod unpacked;
pub mod wait;
