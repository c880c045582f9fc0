//! End to end, as a user would: real registries, real runtimes, real nodes.
//!
//! The tests are heavy: run them one at a time, as `tests/run` does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows it in test functions, not in the helpers they share"
)]

mod artifacts;
mod bad_input;
mod blob_shapes;
mod compatibility;
mod configuration;
mod corruption;
mod doctor;
mod kills;
mod origin_down;
mod origin_faults;
mod own_logins;
mod parts;
mod path_prefix;
mod peer_faults;
mod preheat;
mod pull;
mod real_image;
mod registries;
mod seed_faults;
mod signatures;
mod strangers;
