//! Programs in the background: what they cost, and their end.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::RigError;

/// How much of a program's output is worth showing when it fails.
const SHOWN_BYTES: usize = 2048;

/// A program and all that it starts. Dropping it kills them and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

/// What a program and those that it started have used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Time on processors, user and system.
    pub cpu_s: f64,
    /// What of it the kernel took, mostly for the network.
    pub system_s: f64,
    /// The most memory that one process of them had in use at a time.
    pub peak_rss_mib: f64,
}

impl Process {
    /// Starts `command`; what it prints is appended to the file `output`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(name: &str, mut command: Command, output: &Path) -> Result<Self, RigError> {
        let file = open(output)?;
        let both = file.try_clone().map_err(RigError::system(format!("write {}", output.display())))?;
        command.stdin(Stdio::null()).stdout(file).stderr(both);
        Self::start(name, command, output)
    }

    /// Starts `command` with pipes to its input and from its output; its errors are appended to the file `output`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn_piped(
        name: &str,
        mut command: Command,
        output: &Path,
    ) -> Result<(Self, ChildStdin, ChildStdout), RigError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(open(output)?);
        let mut process = Self::start(name, command, output)?;
        match (process.child.stdin.take(), process.child.stdout.take()) {
            (Some(input), Some(printed)) => Ok((process, input, printed)),
            _ => Err(process.ended("it has no pipes".into())),
        }
    }

    /// An error when it is no longer running.
    ///
    /// # Errors
    /// With the end of its output.
    pub fn check(&mut self) -> Result<(), RigError> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(self.ended(status.to_string())),
            _ => Ok(()),
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        for pid in members(self.child.id()) {
            let (user_s, system_s) = cpu_s(pid).unwrap_or_default();
            sum.cpu_s += user_s + system_s;
            sum.system_s += system_s;
            sum.peak_rss_mib = sum.peak_rss_mib.max(peak_rss_mib(pid).unwrap_or_default());
        }
        sum
    }

    fn start(name: &str, mut command: Command, output: &Path) -> Result<Self, RigError> {
        // A group of its own: it ends as a whole, and a Ctrl-C at the terminal reaches only who cleans up.
        command.process_group(0);
        let child = command.spawn().map_err(RigError::system(format!("start {name}")))?;
        Ok(Self { name: name.into(), child, output: output.into() })
    }

    fn ended(&self, status: String) -> RigError {
        let text = fs::read(&self.output).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(SHOWN_BYTES)..];
        let output = String::from_utf8_lossy(tail).into_owned();
        RigError::Ended { name: self.name.clone(), status, output }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when there is nothing left to end.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn open(output: &Path) -> Result<File, RigError> {
    let opened = File::options().create(true).append(true).open(output);
    opened.map_err(RigError::system(format!("write {}", output.display())))
}

/// The processes of a group.
fn members(group: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).and_then(|fields| fields.get(2)?.parse().ok()) == Some(group)).collect()
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces: the state is the first, see `proc_pid_stat(5)`.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// User and system time, each with that of children it has waited for.
fn cpu_s(pid: u32) -> Option<(f64, f64)> {
    let fields = stat(pid)?;
    let field_s = |index: usize| {
        let ticks: u64 = fields.get(index)?.parse().ok()?;
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    };
    Some((field_s(11)? + field_s(13)?, field_s(12)? + field_s(14)?))
}

fn peak_rss_mib(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_group_is_counted_and_ends_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done & wait"]);
        let process = Process::spawn("a shell", command, &folder.path().join("log")).unwrap();
        let group = process.child.id();
        let began = Instant::now();
        while process.usage().cpu_s < 0.05 || members(group).len() < 2 {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", process.usage());
        }
        drop(process);
        while !members(group).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "still there: {:?}", members(group));
        }
    }

    #[test]
    fn who_ends_by_itself_is_named_with_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo a reason >&2; exit 3"]);
        let mut process = Process::spawn("a shell", command, &folder.path().join("log")).unwrap();
        process.child.wait().unwrap();
        let error = process.check().unwrap_err().to_string();
        assert!(error.contains("a shell") && error.contains('3') && error.contains("a reason"), "{error}");
    }
}
