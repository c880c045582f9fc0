//! What a probe comes back with.

use std::path::Path;

use serde::Serialize;

use crate::shell;

/// What a probe comes back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well; with what was measured.
    Well(String),
    /// Something is wrong; never empty.
    Wrong(Vec<Finding>),
    /// There was nothing to look at, and why.
    Skipped(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong, with which file, address or name.
    pub what: String,
    /// How to mend it.
    pub mend: Mend,
}

/// How something is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mend {
    /// What to do, in a sentence.
    pub text: String,
    /// Lines for a shell that do it, in their order; none where a human has to decide.
    pub commands: Vec<String>,
}

impl Outcome {
    /// All is well with what `measured` names.
    pub fn well(measured: impl Into<String>) -> Self {
        Self::Well(measured.into())
    }

    /// There was nothing to look at.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// One finding.
    pub fn wrong(finding: Finding) -> Self {
        Self::Wrong(vec![finding])
    }

    /// These findings; where there is none, all is well with what `measured` names.
    pub fn of(findings: Vec<Finding>, measured: impl Into<String>) -> Self {
        if findings.is_empty() { Self::well(measured) } else { Self::Wrong(findings) }
    }
}

impl Finding {
    /// What is wrong, and in a sentence what to do.
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: Mend { text: mend.into(), commands: Vec::new() } }
    }

    /// With a line for a shell that does it, after those before.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.mend.commands.push(command.into());
        self
    }

    /// The same with a path in the place of each `{}`, as the shell wants it.
    #[must_use]
    pub fn run_on(self, command: &str, path: &Path) -> Self {
        self.run(command.replace("{}", &shell::quoted(&path.display().to_string())))
    }
}
