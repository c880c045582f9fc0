//! The cluster key, seeds and other nodes.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
