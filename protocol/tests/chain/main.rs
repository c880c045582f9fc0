//! The piece chain, through its public interface: what honest parties get, and what liars can't do.
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, not in the helpers they share")]

mod blobs;
mod both;
mod growing;
mod hostile;
mod lying_author;
mod whole;
