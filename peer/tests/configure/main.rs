//! `shoal configure` on machines as they are found: what it writes, and that all of it can be undone.
#![allow(clippy::unwrap_used, reason = "clippy takes the helpers of tests for code that serves others")]

mod changes;
mod containerd;
mod containers;
mod docker;
mod machine;
mod undo;
