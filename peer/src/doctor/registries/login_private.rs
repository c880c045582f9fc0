//! Logins are secrets.

use std::{os::unix::fs::MetadataExt, sync::Arc};

use super::{asked, files::files};
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// Keys of files that hold what nobody else may have.
const SECRETS: [&str; 3] = ["password_file", "client_key_file", "docker_config"];

pub(super) const CHECK: Check = Check {
    id: "registry-login-private",
    category: Category::Registries,
    severity: Severity::Warning,
    depends_on: &["registry-files"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "logins and keys of registries can't be read by everyone",
    why: "Everyone on this host could pull, and perhaps push, as the seed.",
    mend: "Take the permission to read away from everyone else.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    if let Err(outcome) = asked::applies(&context).await {
        return outcome;
    }
    let registries = context.config().for_origins();
    let named = registries.iter().flat_map(|registry| files(registry));
    let secrets: Vec<_> = named.filter(|(key, _)| SECRETS.contains(key)).collect();
    let findings = secrets.iter().filter_map(|(key, path)| {
        let metadata = std::fs::metadata(path).ok()?;
        let mode = metadata.mode() & 0o7777;
        let is_open = metadata.is_file() && mode & 0o007 != 0;
        let shown = path.display();
        let what = format!("everyone on this host can read {key} {shown} (mode {mode:04o})");
        is_open.then(|| Finding::new(what, "Leave it to its owner and group.").run_on("chmod o= {}", path))
    });
    Outcome::of(findings.collect(), format!("{} files", secrets.len()))
}
