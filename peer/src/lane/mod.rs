//! Lanes carry the pieces, so that bulk never stands in the way of small messages.
//!
//! A lane goes one way and is opened by the side that sends the pieces: TCP with the cluster's handshake or, where
//! that port can't be reached, a stream of the swarm. On it each piece is a [`LaneHeader`] and its bytes. Which piece
//! goes to whom was agreed on the control stream before.
//!
//! Where both sides have it on, a lane over TCP goes on in plaintext after the handshake, and pieces go from the page
//! cache to the socket by `sendfile`.
//!
//! [`LaneHeader`]: shoal_protocol::wire::LaneHeader

mod backlog;
mod error;
mod gate;
mod listener;
mod places;
mod progress;
mod receiver;
mod sender;
mod socket;
mod source;
mod verifier;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use error::{LaneError, LaneOpenError, TooManyLanes};
pub use gate::LaneGate;
pub use listener::LaneListener;
pub use progress::{Arriving, LaneProgress};
pub use receiver::LaneReceiver;
pub use sender::LaneSender;
pub use source::PieceSource;
pub use verifier::{Verifier, VerifierPlace};

/// A piece of which no byte moves for so long is given up, and its lane with it: the other side is gone or stuck.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
