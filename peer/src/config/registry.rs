//! Registries beyond what one line of the table says about them.

use super::settings::Registry;

/// The public registries that most images come from; none of them needs a login.
const WELL_KNOWN: [&str; 7] =
    ["docker.io", "gcr.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.k8s.io"];

/// What seeds fetch from when no registry is named.
pub(super) fn well_known() -> Vec<Registry> {
    WELL_KNOWN.iter().map(|host| Registry { host: host.parse().ok(), ..Registry::default() }).collect()
}
