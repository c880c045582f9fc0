//! Folders that belong to one test and go with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Two folders of one test: bulk data beside the build, and a short path for sockets.
#[derive(Debug)]
pub struct Scratch {
    data: TempDir,
    run: TempDir,
}

impl Scratch {
    /// Makes both folders; `name` is part of their paths.
    pub fn new(name: &str) -> Self {
        let parent = work_dir().join("runs");
        fs::create_dir_all(&parent).expect("a folder for test runs");
        let prefix = format!("{name}-");
        Self {
            data: TempDir::with_prefix_in(&prefix, parent).expect("a folder for the test's data"),
            run: TempDir::with_prefix("shoal-").expect("a folder for the test's sockets"),
        }
    }

    /// For what may grow large.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// For Unix sockets: the kernel takes no path of more than 107 bytes.
    pub fn run(&self) -> &Path {
        self.run.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for mount in mounts_below(&[self.data.path(), self.run.path()]) {
            // A mount that stays would keep the folder from being removed; nothing else depends on it.
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
    }
}

/// Where the tests keep what outlives a run, as images that take long to make: beside the build, so that
/// `cargo clean` removes it.
pub fn work_dir() -> PathBuf {
    let executable = std::env::current_exe().expect("the path of this test binary");
    let target = executable.ancestors().nth(3).expect("a test binary lies in target/PROFILE/deps");
    target.join("tmp").join("e2e")
}

/// Deepest first, as they have to be unmounted.
fn mounts_below(folders: &[&Path]) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut mounts: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|mount| folders.iter().any(|folder| mount.starts_with(folder)))
        .collect();
    mounts.reverse();
    mounts
}
