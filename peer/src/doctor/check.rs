//! What a check is.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde::Serialize;

use super::{Context, Outcome};

/// Deadline of a check that reads files, or asks programs of this host.
pub const QUICK: Duration = Duration::from_secs(2);

/// Looks at the world, and at nothing that others do not: it changes nothing.
pub type Probe = fn(Arc<Context>) -> BoxFuture<'static, Outcome>;

/// One thing that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name: lower-case words between dashes, the first one telling where it belongs.
    pub id: &'static str,
    /// Where it is shown.
    pub category: Category,
    /// How bad what it finds is.
    pub severity: Severity,
    /// Checks that have to be well before this one says anything that they do not.
    pub depends_on: &'static [&'static str],
    /// Whether a running node is needed.
    pub needs: Needs,
    /// Longest time that the probe may take.
    pub deadline: Duration,
    /// What is true when all is well: `the mirror answers`.
    pub title: &'static str,
    /// What happens to whoever lives with the fault.
    pub why: &'static str,
    /// What to do about it, in general; a finding has the very commands.
    pub mend: &'static str,
    /// Looks.
    pub probe: Probe,
}

#[cfg(test)]
impl Check {
    /// One that is always well.
    pub(super) const WELL: Self = Self {
        id: "well",
        category: Category::Host,
        severity: Severity::Failure,
        depends_on: &[],
        needs: Needs::Nothing,
        deadline: QUICK,
        title: "",
        why: "",
        mend: "",
        probe: |_| Box::pin(async { Outcome::well("fine") }),
    };
}

/// Parts of the report, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What this node is told.
    Configuration,
    /// Disk, memory, kernel and limits.
    Host,
    /// The node's own process.
    Node,
    /// Seeds and other nodes.
    Cluster,
    /// Where seeds fetch from.
    Registries,
    /// What pulls images on this host.
    Runtimes,
    /// Whether a pull passes through Shoal.
    Pulls,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something does not work.
    Failure,
    /// It works, though less well or less safely than it should.
    Warning,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Files and the network: runs with `--pre`, too.
    Nothing,
    /// The running node.
    Node,
}

impl Category {
    /// Every category, in order.
    pub const ALL: [Self; 7] = [
        Self::Configuration,
        Self::Host,
        Self::Node,
        Self::Cluster,
        Self::Registries,
        Self::Runtimes,
        Self::Pulls,
    ];
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::Host => "host",
            Self::Node => "node",
            Self::Cluster => "cluster",
            Self::Registries => "registries",
            Self::Runtimes => "runtimes",
            Self::Pulls => "pulls",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure => "failure",
            Self::Warning => "warning",
        })
    }
}
