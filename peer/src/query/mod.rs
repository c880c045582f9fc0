//! Questions with one answer, each on a stream of its own (`docs/protocol.md`, "Queries").

mod client;
mod server;

pub use client::{QueryError, ask};
pub use server::{Answers, QueryServer};
