//! Podman, which has no daemon: its command.

use std::{path::PathBuf, process::Stdio};

use tokio::{io::AsyncReadExt, process::Command};

/// What is worth telling of what it says.
const MAX_SAID_BYTES: u64 = 4096;

/// The command.
pub(super) struct Podman {
    program: PathBuf,
}

impl Podman {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// `podman pull`.
    pub(super) async fn pull(&self, image: &str) -> Result<(), String> {
        self.run(&["pull", "--quiet", image]).await
    }

    /// `podman image rm`.
    pub(super) async fn remove(&self, image: &str) -> Result<(), String> {
        self.run(&["image", "rm", image]).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| error.to_string())?;
        let mut said = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            // What it says is for a message only.
            let _ = stderr.take(MAX_SAID_BYTES).read_to_end(&mut said).await;
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{status}: {}", String::from_utf8_lossy(&said).trim())),
        }
    }
}
