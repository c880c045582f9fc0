//! Where seeds fetch from.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
