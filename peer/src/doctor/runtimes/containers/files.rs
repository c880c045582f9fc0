//! Whether these files are taken at all, and whether the policy lets images through.

use std::path::Path;

use serde_json::Value;

use super::{Containers, ID, POLICY};
use crate::{
    configure::{
        ConfigureError,
        reading::{REGISTRIES_FILES, View, parse},
    },
    doctor::{
        Check, Finding,
        runtimes::{
            RUNTIME,
            found::{Files as _, examine, examine_told},
        },
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };

pub(super) const MIRROR: Check = Check {
    id: "containers-mirror",
    title: "Podman or CRI-O is told of the mirror",
    why: "Without it each pull goes straight to the registry, and Shoal has nothing to do here.",
    mend: "Point it at Shoal.",
    probe: |context| examine_told(context, mirror),
    ..BASE
};

pub(super) const MIXED: Check = Check {
    id: "containers-mixed",
    title: "registries.conf is written in one form",
    why: "A file with [registries.…] of the first form and [[registry]] of the second is refused as a whole.",
    mend: "Write all of it in the second form.",
    probe: |context| examine(context, mixed, "it has one form"),
    ..BASE
};

pub(super) const POLICY_CHECK: Check = Check {
    id: "containers-policy",
    title: "the policy lets images of registries through",
    why: "An image that no rule lets through is refused after it was fetched, by whatever way it came.",
    mend: "Add a rule for the registries that images come from.",
    probe: |context| examine(context, policy, "the policy lets images through"),
    ..BASE
};

fn mirror(containers: &Containers) -> Vec<Finding> {
    if containers.is_told() || !containers.wrong_ports().is_empty() {
        return Vec::new();
    }
    let what = format!(
        "no entry of registries.conf and the files beside it names {}",
        containers.site.mirror.authority()
    );
    let finding = Finding::new(what, "Point it at Shoal; that shows what it would change first.");
    vec![finding.run(containers.site.configure(containers.runtime()))]
}

/// The main file, if it has both forms.
pub(super) fn mixed_file(view: &View<'_>) -> Result<Option<&'static str>, ConfigureError> {
    for path in REGISTRIES_FILES {
        let Some(text) = view.read(Path::new(path))? else { continue };
        let document = parse(Path::new(path), &text)?;
        let has = |key| document.contains_key(key);
        let is_mixed = has("registries") && (has("registry") || has("unqualified-search-registries"));
        return Ok(is_mixed.then_some(path));
    }
    Ok(None)
}

fn mixed(containers: &Containers) -> Vec<Finding> {
    let finding = |path: &str| {
        let what =
            format!("{path} has tables of [registries] beside [[registry]] or unqualified-search-registries");
        let mend = "Write [registries.insecure] and [registries.block] as [[registry]] entries with `insecure` or \
                    `blocked`, and [registries.search] as unqualified-search-registries.";
        Finding::new(what, mend)
    };
    containers.mixed.map(finding).into_iter().collect()
}

fn policy(containers: &Containers) -> Vec<Finding> {
    let Some(text) = &containers.policy else { return Vec::new() };
    let policy: Value = match serde_json::from_str(text) {
        Ok(policy) => policy,
        Err(error) => {
            return vec![Finding::new(
                format!("{POLICY}: {error}"),
                "Correct that; it counts from the next pull on.",
            )];
        }
    };
    let rejects = |rules: &Value| {
        rules.as_array().is_some_and(|rules| rules.iter().any(|rule| rule["type"] == "reject"))
    };
    let of_registries = policy["transports"]["docker"].as_object();
    let lets_some = of_registries.is_some_and(|scopes| scopes.values().any(|rules| !rejects(rules)));
    if lets_some || !rejects(&policy["default"]) {
        return Vec::new();
    }
    let what =
        format!("{POLICY} rejects by default, and has no rule that lets an image of a registry through");
    let mend = "Add rules for the registries to \"transports\", \"docker\".";
    vec![Finding::new(what, mend)]
}
