//! Programs of runtimes that this machine does not have installed, unpacked from Debian's packages by `tests/runtimes`.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::scratch::work_dir;

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is installed.
    Machine,
    /// Debian's suite of that name.
    Bookworm,
    /// The next one.
    Trixie,
    /// The one where the newest versions are.
    Sid,
    /// The next one with its own libraries: its programs run with its packages as their root.
    TrixieRoot,
}

impl Source {
    /// A command of this source's program, which finds the others of its packages first.
    pub fn command(self, program: &str) -> Command {
        let Some(root) = self.root() else {
            return Command::new(program);
        };
        if self == Self::TrixieRoot {
            return in_root(&root, program);
        }
        let folders = ["usr/bin", "usr/sbin"].map(|folder| root.join(folder));
        let file = folders.iter().map(|folder| folder.join(program)).find(|file| file.exists());
        let file = file.unwrap_or_else(|| panic!("no {program} in {}: run tests/runtimes", root.display()));
        let mut command = Command::new(file);
        command.env("PATH", with_path(&folders)).env("LD_LIBRARY_PATH", libraries(&root));
        command
    }

    /// Where its packages are unpacked.
    fn root(self) -> Option<PathBuf> {
        let suite = match self {
            Self::Machine => return None,
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
            Self::TrixieRoot => "trixie-root",
        };
        Some(work_dir().join("runtimes").join(suite).join("root"))
    }

    /// A file of its packages, as its programs have to be told of it.
    pub fn file(self, path: &str) -> PathBuf {
        let root = self.root().filter(|_| self != Self::TrixieRoot);
        root.unwrap_or_else(|| PathBuf::from("/")).join(path)
    }
}

/// In a mount namespace of its own, where the folders of tests are what they are outside.
fn in_root(root: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
    command.arg(
        "root=$1; runs=$2; shift 2
        mkdir -p \"$root$runs\"
        mount --bind \"$root\" \"$root\"
        for folder in /proc /dev /sys /tmp \"$runs\"; do mount --rbind \"$folder\" \"$root$folder\"; done
        exec chroot \"$root\" \"$@\"",
    );
    command.arg("sh").arg(root).arg(work_dir().join("runs")).arg(program);
    command
}

fn with_path(folders: &[PathBuf]) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(folders.iter().cloned().chain(env::split_paths(&path))).expect("a search path")
}

/// Debian has libraries in a folder named after the architecture.
fn libraries(root: &Path) -> PathBuf {
    root.join("usr/lib").join(format!("{}-linux-gnu", env::consts::ARCH))
}
