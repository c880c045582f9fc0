//! The inventory: everyone ends up knowing what everyone has, whatever the network does and whoever lies.
#![allow(clippy::unwrap_used, reason = "a test that unwraps says what it expects")]

mod bounds;
mod convergence;
mod gaps;
mod hearsay;
mod liveness;
mod node;
mod pace;
mod trust;
mod world;
