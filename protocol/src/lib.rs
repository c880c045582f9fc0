//! The rules of the Shoal network, as pure logic.
//!
//! Invariant: nothing here opens a socket or a file, reads a clock or draws a random number. Time
//! ([`time::Timestamp`]) and randomness (seeds) are arguments, so the same machines run under tokio in production
//! and under a virtual clock in simulation. The crate is `no_std`, and a test keeps its dependencies to a short list.
//!
//! State machines share one grammar: `handle_*` takes what happened in, `poll_*` hands out what to do.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bitfield;
pub mod bounds;
pub mod chain;
pub mod digest;
pub mod exchange;
pub mod geometry;
pub mod hex;
pub mod identity;
pub mod inventory;
pub mod listing;
pub mod membership;
pub mod ownership;
pub mod reference;
pub mod time;
pub mod wire;
