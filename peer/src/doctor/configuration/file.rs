//! The file with the configuration can be read.

use std::{io, sync::Arc};

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "config-file",
    category: Category::Configuration,
    severity: Severity::Failure,
    depends_on: &[],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the file with the configuration can be read",
    why: "A node that is told to read a file which it can't read does not start.",
    mend: "Put the file there, or make it readable for the user that Shoal runs as.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let Some(path) = context.config_file() else {
        return Outcome::well("no file: defaults, variables and flags count");
    };
    let shown = path.display();
    match std::fs::read_to_string(path) {
        Ok(_) => Outcome::well(shown.to_string()),
        Err(error) => {
            let what = format!("can't read the configuration {shown}: {error}");
            Outcome::wrong(match error.kind() {
                io::ErrorKind::NotFound => {
                    Finding::new(what, "Make the file; this one has every default in it.")
                        .run_on("shoal config > {}", path)
                }
                io::ErrorKind::PermissionDenied => {
                    Finding::new(what, "Let everyone read it: secrets stand in files of their own.")
                        .run_on("chmod a+r {}", path)
                }
                io::ErrorKind::InvalidData => Finding::new(what, "Write it in UTF-8."),
                _ => Finding::new(what, "Name a file: --config FILE, or the variable SHOAL_CONFIG."),
            })
        }
    }
}
