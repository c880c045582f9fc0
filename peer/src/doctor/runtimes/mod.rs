//! What pulls images on this host: does it ask the mirror?

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
