//! The files that registries' sections name are there.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use shoal_seed::config::{DockerConfigPlace, RegistryConfig};

use super::asked;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "registry-files",
    category: Category::Registries,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "every file that [[registry]] names can be read",
    why: "A seed whose configuration names a file that is not there does not start.",
    mend: "Put the file there, or let the user that Shoal runs as read it.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    if let Err(outcome) = asked::applies(&context).await {
        return outcome;
    }
    let mut findings = Vec::new();
    let mut count = 0;
    for registry in context.config().for_origins() {
        for (key, path) in files(&registry) {
            count += 1;
            findings.extend(look(&registry, key, &path));
        }
    }
    Outcome::of(findings, format!("{count} files"))
}

/// The files of a registry, by the key that names them.
pub(super) fn files(registry: &RegistryConfig) -> Vec<(&'static str, PathBuf)> {
    let login = match &registry.docker_config {
        Some(DockerConfigPlace::Path(path)) => Some(path.clone()),
        _ => None,
    };
    let named = [
        ("ca_file", registry.ca_file.clone()),
        ("client_cert_file", registry.client_cert_file.clone()),
        ("client_key_file", registry.client_key_file.clone()),
        ("password_file", registry.password_file.clone()),
        ("docker_config", login),
    ];
    named.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
}

fn look(registry: &RegistryConfig, key: &str, path: &Path) -> Option<Finding> {
    let error = File::open(path).err()?;
    let shown = path.display();
    let what = format!("registry {}: {key} {shown} can't be read: {error}", registry.host);
    let mend = "Put the file there, for the user that Shoal runs as; or correct the path.";
    Some(Finding::new(what, mend).run_on("ls -l {}", path))
}
