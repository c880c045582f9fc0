//! The container runtimes of this host: whether what is told to them leads to the mirror.
//!
//! Everything is read from files below a root, as the runtime of that version reads it, and once for all checks. What
//! a runtime really does is for the canary to find out.

mod at;
mod containerd;
mod containers;
mod docker;
mod found;
mod hosts_faults;
mod hosts_file;
mod process;
mod proxy;
mod site;
mod told;
mod unit;
mod version;

pub(super) use self::{
    containerd::{CHECKS as CONTAINERD, Containerd},
    containers::{CHECKS as CONTAINERS, Containers},
    docker::{CHECKS as DOCKER, Docker},
    found::{Found, found},
    version::find_program,
};
use super::{Category, Check, Needs, Outcome, QUICK, Severity};

/// What the checks of runtimes have in common.
const RUNTIME: Check = Check {
    id: "",
    category: Category::Runtimes,
    severity: Severity::Failure,
    depends_on: &[],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "",
    why: "",
    mend: "",
    probe: |_| Box::pin(async { Outcome::skipped("") }),
};
