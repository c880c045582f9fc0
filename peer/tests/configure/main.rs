//! `shoal configure` and `shoal import` on machines as they are found: what they write, and that it can be undone.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes the helpers of tests for code that serves others"
)]

mod changes;
mod command;
mod containerd;
mod containers;
mod docker;
mod import;
mod machine;
mod undo;
