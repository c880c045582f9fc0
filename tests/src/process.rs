//! Programs that a test runs: in the background, ended by id; or to their end, with a deadline.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::wait::{attempt, eventually};

/// How long a program may take to go once it was told to by a signal that it can't refuse.
const END_WITHIN: Duration = Duration::from_secs(20);
/// How much of a program's output is worth showing when it fails.
const SHOWN_BYTES: usize = 4096;

/// A program in the background. Dropping it kills it and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

/// What a test sends to a program.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// Please end.
    Term,
    /// Stand still.
    Stop,
    /// Go on.
    Cont,
}

impl Process {
    /// Starts `command`; what it prints is appended to the file `output`.
    pub fn spawn(name: &str, mut command: Command, output: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(output).expect("a file for the output");
        let second = file.try_clone().expect("a second handle for the output");
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        let child = command.spawn().unwrap_or_else(|error| panic!("can't start {name}: {error}"));
        Self { name: name.to_owned(), child, output: output.to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Panics with the end of its output when it is no longer running.
    pub fn assert_running(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("{} ended by itself ({status}):\n{}", self.name, tail(&self.output()));
        }
    }

    /// Waits until `probe` yields something; panics when it does not in time, or when the program ends.
    pub async fn ready<T>(&mut self, within: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
        let found = attempt(within, async || {
            self.assert_running();
            probe().await
        })
        .await;
        match found {
            Some(found) => found,
            None => panic!("{} is not ready after {within:?}:\n{}", self.name, tail(&self.output())),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let flag = match signal {
            Signal::Term => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Cont => "-CONT",
        };
        let status = Command::new("kill").arg(flag).arg(self.pid().to_string()).status().expect("kill");
        assert!(status.success(), "no {signal:?} to {}: {status}", self.name);
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually(&what, within, async || self.child.try_wait().expect("the state of a child")).await
    }

    /// Asks it to end and waits.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::Term);
        self.ended(END_WITHIN).await
    }

    /// The most memory it had in use at a time.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.memory_bytes("VmHWM:")
    }

    /// The memory it has in use.
    pub fn resident_bytes(&self) -> u64 {
        self.memory_bytes("VmRSS:")
    }

    fn memory_bytes(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a memory field");
        let kibibytes: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        kibibytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {} printed last:\n{}", self.name, tail(&self.output()));
        }
        self.kill();
    }
}

/// What a program left when it ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a program to its end; one that takes longer than `within` is killed, and that is an error.
///
/// # Errors
/// When the deadline passes or the program fails, with what it printed.
pub async fn run(command: Command, within: Duration) -> Result<String, String> {
    let shown = shown(&command);
    match finish(command, within).await {
        Some(finished) if finished.status.success() => Ok(finished.stdout),
        Some(Finished { status, stdout, stderr }) => {
            Err(format!("{shown}: {status}\n{}{}", tail(&stdout), tail(&stderr)))
        }
        None => Err(format!("{shown}: no end after {within:?}")),
    }
}

/// Runs a program to its end, whatever that is; `None` when it took longer than `within` and was killed.
pub async fn finish(command: Command, within: Duration) -> Option<Finished> {
    let shown = shown(&command);
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let finished = tokio::time::timeout(within, command.output()).await.ok()?;
    let output = finished.unwrap_or_else(|error| panic!("can't run {shown}: {error}"));
    Some(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Program and arguments, without the environment.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(SHOWN_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
