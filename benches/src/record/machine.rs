//! What it was measured on.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, as far as it bears on the figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Version of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This machine; what can't be found out is empty.
    pub fn this() -> Self {
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_bytes("MemTotal") / (1024 * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// A length of memory by its name in `proc_meminfo(5)`; none where the kernel does not tell.
pub(crate) fn memory_bytes(name: &str) -> u64 {
    let value = field("/proc/meminfo", name).unwrap_or_default();
    let kib = value.split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// The first value of that name in one of the kernel's tables.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

/// Measures how much of all cores was idle. A run on a busy machine says little about links.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    began: Ticks,
}

#[derive(Clone, Copy, Debug)]
struct Ticks {
    idle: u64,
    total: u64,
}

impl Idle {
    /// Begins now.
    pub fn begin() -> Self {
        Self { began: Ticks::now() }
    }

    /// The share since then, from 0 to 1; `None` where the kernel does not tell.
    pub fn share(&self) -> Option<f64> {
        let now = Ticks::now();
        let total = now.total.checked_sub(self.began.total).filter(|total| *total > 0)?;
        Some(now.idle.saturating_sub(self.began.idle) as f64 / total as f64)
    }
}

impl Ticks {
    /// From the first line of `/proc/stat`, see `proc_stat(5)`: user nice system idle iowait irq softirq steal.
    fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            first.split_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
        Self { idle: ticks.iter().skip(3).take(2).sum(), total: ticks.iter().sum() }
    }
}
