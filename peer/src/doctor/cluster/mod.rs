//! The cluster key, seeds and other nodes.

mod key_fits;
mod key_kind;
mod key_private;
mod key_read;
mod key_valid;
mod seeds;
mod seeds_named;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    key_read::CHECK,
    key_valid::CHECK,
    key_private::CHECK,
    key_kind::CHECK,
    seeds_named::CHECK,
    seeds::RESOLVES,
    seeds::REACHABLE,
    seeds::SPEAKS,
    seeds::VERSION,
    key_fits::CHECK,
];
