//! The node's own process: does it run, and is it well?

mod answers;
mod current;
mod mirror_answers;
mod peers;
mod ports;
mod ready;
mod status;
mod version;

use super::Check;

pub(super) use status::{Role, Status};

pub(super) const CHECKS: &[Check] = &[
    ports::CHECK,
    answers::CHECK,
    version::CHECK,
    current::CHECK,
    ready::CHECK,
    mirror_answers::CHECK,
    peers::CHECK,
];
