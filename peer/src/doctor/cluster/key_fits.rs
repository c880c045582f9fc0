//! The seeds have the same cluster key.

use super::seeds::{self, Sort};
use crate::doctor::Check;

pub(super) const CHECK: Check = Check {
    id: "cluster-key-fits",
    depends_on: &["cluster-key-valid"],
    title: "every seed accepts this node's cluster key",
    why: "Nodes with different keys are different clusters: neither talks to the other.",
    mend: "Put the same cluster's key on both nodes, and restart the one that had another.",
    probe: |context| Box::pin(seeds::told(context, Sort::Key)),
    ..seeds::RESOLVES
};
