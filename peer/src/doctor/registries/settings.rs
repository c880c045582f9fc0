//! The settings of every registry make sense together.

use std::sync::Arc;

use shoal_seed::origin::RegistryError;

use super::asked::{self, Asked, DEADLINE};
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, Severity};

pub(super) const CHECK: Check = Check {
    id: "registry-settings",
    category: Category::Registries,
    severity: Severity::Failure,
    depends_on: &["registry-files"],
    needs: Needs::Nothing,
    deadline: DEADLINE,
    title: "the settings of every registry fit together, and their files hold what they should",
    why: "A seed with a ca_file that is no certificate, or a key of another certificate, does not start.",
    mend: "Correct what the finding names.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    match asked::all(&context).await {
        Ok(asked) => {
            let findings =
                asked.iter().filter_map(|registry| Some(finding(registry, registry.outcome.as_ref().err()?)));
            Outcome::of(findings.collect(), format!("{} registries", asked.len()))
        }
        Err(outcome) => outcome,
    }
}

fn finding(registry: &Asked, error: &RegistryError) -> Finding {
    let config = &registry.config;
    let what = format!("registry {}: {error}", config.host);
    match error {
        RegistryError::Tls(_) => {
            let file = config.client_cert_file.as_ref().or(config.ca_file.as_ref());
            let finding = Finding::new(
                what,
                "Put files there that fit each other; this shows whose certificate there is.",
            );
            match file {
                Some(file) => finding.run_on("openssl x509 -noout -subject -enddate -in {}", file),
                None => finding,
            }
        }
        RegistryError::Credentials(_) => Finding::new(what, "Keep the one source of logins that is right."),
        RegistryError::Endpoint(_) | RegistryError::Client(_) => {
            Finding::new(what, "Correct endpoints or proxy in its section.")
        }
    }
}
