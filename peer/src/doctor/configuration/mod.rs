//! What this node is told.

mod file;

use super::Check;

pub(super) const CHECKS: &[Check] = &[file::CHECK];
