//! What nodes say to each other, and how it is written down. `docs/protocol.md` is the specification.

mod control;

pub use control::{Channel, CloseReason, Message};
