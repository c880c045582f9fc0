//! The other side of a transfer: this program again, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::{Serialize, de::DeserializeOwned};

use super::cpu::CpuTime;
use crate::cli::Failure;

/// A process of this program. It is told to end by the end of its input, and killed when dropped.
pub(super) struct OtherSide {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl OtherSide {
    /// Starts `shoal-bench loopback` with these arguments.
    pub(super) fn start(arguments: &[String]) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("loopback")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("the other side has no output")?;
        Ok(Self { child, stdin, lines: BufReader::new(stdout) })
    }

    /// The next thing that it says. Blocks.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Err("the other side has ended; it may have said why above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Its processor time so far.
    pub(super) fn cpu(&self) -> CpuTime {
        CpuTime::of(self.child.id())
    }

    /// Tells it to end, and waits for that. Blocks.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for OtherSide {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says something to the process that started this one.
pub(super) fn say(what: &impl Serialize) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}

/// Returns when the process that started this one ends its input, or ends.
pub(super) async fn until_told_to_end() {
    use std::io::Read;
    // An error is an end, too.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0; 1])).await;
}
