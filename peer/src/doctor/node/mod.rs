//! The node's own process: does it run, and is it well?

mod answers;

use super::Check;

pub(super) const CHECKS: &[Check] = &[answers::CHECK];
