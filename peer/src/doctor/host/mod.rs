//! Disk, memory, kernel and limits of this host.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
