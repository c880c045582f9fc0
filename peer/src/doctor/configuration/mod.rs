//! What this node is told.

mod access_matches;
mod access_once;
mod advertise;
mod file;
mod keys;
mod mirror_local;
mod variables;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    file::CHECK,
    keys::CHECK,
    variables::CHECK,
    access_once::CHECK,
    access_matches::CHECK,
    mirror_local::CHECK,
    advertise::CHECK,
];
