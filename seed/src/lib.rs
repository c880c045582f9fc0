//! What a seed does beyond a peer: it asks origin registries, once for everyone.
//!
//! Invariant: no byte of an origin is passed on as content before something vouches for it. A manifest is hashed
//! whole; a piece of a blob goes out beside the chain that the seed grew over it, and the chain only closes on the
//! blob's digest. Credentials stay with the registry they were configured for.
//!
//! - [`origin`]: the registry client, from a configured registry to checked answers;
//! - [`pull`]: a blob from an origin into pieces, across broken connections;
//! - [`tags`]: what tags stand for, remembered for a short time, and for longer when the origin is down;
//! - [`lists`]: what repositories list, remembered for as long;
//! - [`signatures`]: whether an image may be handed out, by who signed it;
//! - [`single_flight`]: many askers, one call.

pub mod config;
pub mod lists;
pub mod metrics;
pub mod origin;
pub mod pull;
pub mod signatures;
pub mod single_flight;
pub mod tags;
