//! When a runtime started, and when its files were written: what was written later is not read yet.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::configure::Root;

/// What `/proc/PID/stat` counts time in. Linux has had no other unit there on any machine that runs containers.
const TICKS_PER_S: u64 = 100;
/// More processes than a node has.
const MAX_PROCESSES: usize = 1 << 16;
/// Where the start stands in `/proc/PID/stat`, after the name in parentheses.
const START_FIELD: usize = 19;

/// When the newest process called `name` started, in seconds since 1970; `None` where none runs.
pub(super) fn newest_start_s(root: &Root, name: &str) -> Option<u64> {
    let booted_s = booted_s(&fs::read_to_string(root.on_disk(Path::new("/proc/stat"))).ok()?)?;
    let processes = fs::read_dir(root.on_disk(Path::new("/proc"))).ok()?.take(MAX_PROCESSES).flatten();
    let is_named =
        |folder: &PathBuf| fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    let start = |folder: PathBuf| start_ticks(&fs::read_to_string(folder.join("stat")).ok()?);
    let starts = processes.map(|process| process.path()).filter(is_named).filter_map(start);
    starts.max().map(|ticks| booted_s + ticks / TICKS_PER_S)
}

/// The newest of `files`, and when it was written, in seconds since 1970.
pub(super) fn newest_file<'a>(root: &Root, files: impl Iterator<Item = &'a Path>) -> Option<(PathBuf, u64)> {
    let written = |path: &'a Path| {
        let modified = fs::metadata(root.on_disk(path)).ok()?.modified().ok()?;
        Some((path.to_owned(), modified.duration_since(UNIX_EPOCH).ok()?.as_secs()))
    };
    files.filter_map(written).max_by_key(|(_, written_s)| *written_s)
}

fn booted_s(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(START_FIELD)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{booted_s, newest_start_s, start_ticks};
    use crate::configure::Root;

    #[test]
    fn the_kernel_s_own_files_are_understood() {
        let stat = "1234 (a ) b) S 1 1234 1234 0 -1 4194560 2 0 0 0 1 2 0 0 20 0 14 0 56789 1 2";
        assert_eq!(start_ticks(stat), Some(56789));
        assert_eq!(booted_s("cpu  1 2\nbtime 1700000000\nprocesses 7\n"), Some(1_700_000_000));
    }

    #[test]
    fn this_very_process_started_a_moment_ago() {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let start_s = newest_start_s(&Root::new("/"), name.trim_end()).unwrap();
        assert!(start_s <= now_s + 2 && start_s + 3600 > now_s, "{start_s} {now_s}");
    }
}
