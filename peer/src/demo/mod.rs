//! `shoal demo`: a registry, a seed and several peers on loopback, and a pull through every peer at once.
//!
//! [`Demo`] puts them up and pulls; [`Report`] is what came of it. The registry and the pulling client know nothing
//! of Shoal: the one is asked as any registry, the other asks as containerd does. Measurements use the registry, too.

mod cluster;
mod hashing;
mod image;
mod manifest;
mod node;
mod origin;
mod pace;
mod progress;
mod pull;
mod report;
#[cfg(test)]
mod tests;

pub use cluster::{Demo, DemoError, Subject};
pub use origin::{Origin, Part, Tally};
pub use progress::Progress;
pub use report::{OriginReport, PeerReport, RegistryReport, Report, Sources};
