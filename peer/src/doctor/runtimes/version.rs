//! Which version of a runtime this is: what it reads, and how, depends on it.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use crate::configure::Root;

/// A program that says its version needs some ten milliseconds; one on a disk that hangs is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Longer than any program's answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 4096;
/// Where programs are, below a root.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The part of a version that decides what a runtime reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl Version {
    /// Version `major.minor`.
    pub(crate) const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The first version in what a program answers to `--version`.
    pub(crate) fn find(answer: &str) -> Option<Self> {
        answer.split_whitespace().find_map(Self::parse)
    }

    /// `28.5.2+dfsg4,` or `v2.1.0`: what stands behind the second number does not count.
    fn parse(word: &str) -> Option<Self> {
        let (major, rest) = word.strip_prefix('v').unwrap_or(word).split_once('.')?;
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        Some(Self { major: major.parse().ok()?, minor: rest.get(..end)?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Asks the first of `programs` that is there. `None` where none is, or it does not say in time.
pub(crate) async fn ask(root: &Root, programs: &[&str]) -> Option<Version> {
    let program = programs.iter().find_map(|name| find_program(root, name))?;
    let answer = timeout(ANSWER_WITHIN, answer_of(&program)).await.ok()??;
    Version::find(&answer)
}

/// Where `name` is below `root`; on the machine itself what `PATH` says comes first.
pub(crate) fn find_program(root: &Root, name: &str) -> Option<PathBuf> {
    let path = if root.is_machine() { env::var_os("PATH") } else { None };
    let by_path = path.iter().flat_map(env::split_paths).map(|folder| folder.join(name));
    let usual = FOLDERS.iter().map(|folder| root.on_disk(&Path::new(folder).join(name)));
    by_path.chain(usual).find(|file| file.is_file())
}

async fn answer_of(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().ok()?;
    let mut answer = String::new();
    child.stdout.take()?.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await.ok()?;
    // It has said what it was asked for; how it ends is its own affair.
    let _ = child.wait().await;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_found_in_what_real_programs_print() {
        let cases = [
            ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", (1, 6)),
            ("containerd github.com/containerd/containerd/v2 2.1.9+unknown ", (2, 1)),
            ("containerd containerd.io 1.7.24 88bf19b2105c8b17560993bee28a01ddc2f97182", (1, 7)),
            ("Docker version 28.5.2+dfsg4, build 3ef3c07c883be49a2e8097bcf6d2952fce1d70eb", (28, 5)),
            ("podman version 4.3.1", (4, 3)),
            ("crio version v1.31", (1, 31)),
        ];
        for (answer, (major, minor)) in cases {
            assert_eq!(Version::find(answer), Some(Version::new(major, minor)), "{answer}");
        }
        assert_eq!(Version::find("command not found"), None);
    }
}
