//! Why a runtime's configuration was left as it is.

use std::{io, path::PathBuf};

/// Why nothing could be planned, or why it could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// A file that the runtime reads, or that Shoal wrote, is not what it should be.
    #[error("{}:{line}: {message}; mend it first, nothing was written", path.display())]
    Invalid {
        /// The file, as seen below the root.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser met there.
        message: String,
    },
    /// A file or folder can't be looked at.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file or folder, as seen below the root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder can't be written; nothing else was touched after it.
    #[error("can't write {}: {source}; `--remove` takes back what was written before it", path.display())]
    Write {
        /// The file or folder, as seen below the root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An edit could break the runtime, or lose what somebody wrote.
    #[error("{}: {what}; {remedy}", path.display())]
    Refused {
        /// The file that stays as it is.
        path: PathBuf,
        /// What is in the way.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// What was asked for can't be had from this runtime.
    #[error("{0}")]
    Impossible(String),
}

impl ConfigureError {
    pub(super) fn refused(
        path: impl Into<PathBuf>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Refused { path: path.into(), what: what.into(), remedy: remedy.into() }
    }
}
