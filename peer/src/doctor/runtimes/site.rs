//! Where the files of this host's runtimes and its mirror are, and the lines for a shell that follow from that.

use std::path::Path;

use super::at::MirrorAt;
use crate::{
    configure::{Root, Runtime},
    doctor::Context,
    shell::quoted,
};

/// The mirror that `shoal configure` assumes.
const USUAL_MIRROR: &str = "http://127.0.0.1:5020";

/// A host, as runtimes see it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) root: Root,
    pub(super) mirror: MirrorAt,
}

impl Site {
    /// The one that a doctor was asked about.
    pub(super) fn of(context: &Context) -> Self {
        Self { root: context.root().clone(), mirror: MirrorAt::new(context.config().mirror.listen) }
    }

    /// The command that points `runtime` at the mirror.
    pub(super) fn configure(&self, runtime: Runtime) -> String {
        let mut command = format!("shoal configure {runtime}");
        let url = self.mirror.to_string();
        if url != USUAL_MIRROR {
            command += &format!(" --mirror {url}");
        }
        if !self.root.is_machine() {
            command += &format!(" --root {}", self.file(Path::new("/")));
        }
        command
    }

    /// The command that writes `to` for `from` in a file.
    pub(super) fn replace(&self, path: &Path, from: &str, to: &str) -> String {
        let script = format!("s|{}|{to}|", from.replace('.', r"\."));
        format!("sed -i {} {}", quoted(&script), self.file(path))
    }

    /// A file, as a word of a command.
    pub(super) fn file(&self, path: &Path) -> String {
        quoted(&self.root.on_disk(path).display().to_string())
    }
}
