//! The small types that everything else is written in: what they accept, and what they refuse by name.
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, not in the helpers they share")]

mod bitfield;
mod digest;
mod geometry;
mod identity;
mod reference;
mod time;
