//! Processor time of processes.

use std::fs;

/// Processor time so far, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuTime {
    /// In the program.
    pub(super) user_s: f64,
    /// In the kernel, on its behalf.
    pub(super) system_s: f64,
}

impl CpuTime {
    /// Of the process `pid`, from `/proc/PID/stat`; zero once it has gone.
    pub(super) fn of(pid: u32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The second field is the program's name in brackets, which may have spaces in it.
        let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = after_name.split_whitespace().skip(11);
        let mut seconds = || {
            let ticks: u64 = fields.next().and_then(|field| field.parse().ok()).unwrap_or(0);
            ticks as f64 / rustix::param::clock_ticks_per_second() as f64
        };
        Self { user_s: seconds(), system_s: seconds() }
    }

    /// Of this process.
    pub(super) fn own() -> Self {
        Self::of(std::process::id())
    }

    /// Both together.
    pub(super) fn total_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

impl std::ops::Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user_s: self.user_s - earlier.user_s, system_s: self.system_s - earlier.system_s }
    }
}

impl std::ops::Add for CpuTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user_s: self.user_s + other.user_s, system_s: self.system_s + other.system_s }
    }
}
