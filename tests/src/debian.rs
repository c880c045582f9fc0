//! A real Debian root file system, as real images start from.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::process::run;

const DEBOOTSTRAP_WITHIN: Duration = Duration::from_secs(600);
const TAR_WITHIN: Duration = Duration::from_secs(300);
const SUITE: &str = "bookworm";

/// A root file system in a folder.
#[derive(Debug)]
pub struct RootFs {
    folder: PathBuf,
}

impl RootFs {
    /// Installs Debian's smallest system into `folder`, from where this machine installs its own packages.
    pub async fn install(folder: PathBuf) -> Self {
        let mut command = Command::new("debootstrap");
        command.args(["--variant=minbase", SUITE]).arg(&folder);
        command.args(archive());
        run(command, DEBOOTSTRAP_WITHIN).await.expect("debootstrap");
        // Downloaded packages would be half of the image and are of no use in it.
        std::fs::remove_dir_all(folder.join("var/cache/apt/archives")).expect("the package cache");
        Self { folder }
    }

    /// A program of it that needs no library, and so runs in an image that holds nothing else.
    pub fn static_program(&self) -> PathBuf {
        self.folder.join("usr/sbin/ldconfig")
    }

    /// Writes the whole tree to a tar.
    pub async fn to_tar(&self, file: &Path) {
        let mut command = Command::new("tar");
        command.args(["--numeric-owner", "--sort=name", "--one-file-system", "-C"]).arg(&self.folder);
        command.arg("-cf").arg(file).arg(".");
        run(command, TAR_WITHIN).await.expect("a tar of the root file system");
    }
}

/// The archive of the machine's own sources, where they name one plainly; else debootstrap's default.
fn archive() -> Option<String> {
    let files = ["/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"];
    let text: String = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    text.lines()
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}
