//! `shoal-bench lab` and `latency` as a user runs them: they need the program `shoal` built beside them, and the lab
//! also root, `ip` and `tc`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shoal_benches::record::{Line, Run};

const WITHIN: Duration = Duration::from_secs(180);
const BLOB_BYTES: f64 = (4 << 20) as f64;
const RATE_BYTES_PER_S: f64 = 200e6 / 8.0;
/// The kernel's switch that a lab turns on for as long as it runs.
const HYSTERESIS: &str = "/sys/module/sch_htb/parameters/htb_hysteresis";

/// Every lab that starts removes what others left.
static ONE_LAB_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn every_case_ends_after_its_bound_and_leaves_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let hysteresis = || fs::read_to_string(HYSTERESIS);
    let before = hysteresis().unwrap_or_else(|_| "0\n".to_owned());
    let (pid, output) = finish(lab(folder.path(), "3", &record));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(namespaces_of(pid), [""; 0]);
    assert_eq!(hysteresis().unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "more than the record is left");

    let runs = runs_in(&record);
    for (case, gets) in [("shoal", 1.0), ("whole_layer", 3.0), ("direct", 3.0)] {
        let mut of_case = runs.iter().filter(|run| run.case == case);
        let last = of_case.next_back().unwrap_or_else(|| panic!("no run of {case} in {runs:?}"));
        assert_complete(last);
        assert!(last.figures["origin_gets_per_blob"] <= gets, "{last:?}");
    }
}

#[test]
fn an_interrupted_lab_removes_what_it_made() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let mut child = lab(folder.path(), "100", &record).spawn().unwrap();
    let pid = child.id();
    wait_for_hosts(&mut child);
    interrupt(&mut child);
    assert_eq!(namespaces_of(pid), [""; 0]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "more than the record is left");
}

#[test]
fn what_a_killed_lab_left_is_removed_by_the_next_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let mut child = lab(folder.path(), "100", &record).spawn().unwrap();
    let killed = child.id();
    wait_for_hosts(&mut child);
    let seed = format!("shoal-lab-{killed}-seed");
    let both = "an agent and a seed on the seed's host";
    let running = wait(&mut child, both, |_| Some(processes_in(&seed)).filter(|pids| pids.len() > 1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(namespaces_of(killed).len(), 6);
    let living = Namespace::add(format!("shoal-lab-{}-kept", std::process::id()));

    let (_, output) = finish(lab(folder.path(), "1", &record));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("removed 6 network namespaces of lab {killed}, which was killed")),
        "{said}"
    );
    assert_eq!(namespaces_of(killed), [""; 0]);
    assert_eq!(namespaces_of(std::process::id()), [living.0.as_str()], "a living lab's stays");
    assert!(!running.iter().any(|pid| runs(*pid)), "of {running:?} some still run");
}

#[test]
fn bridged_packets_pass_the_firewall_by_in_the_lab_and_nowhere_else() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut read = Command::new("sh");
    let switches = "cat /proc/sys/net/bridge/bridge-nf-call-* 2>/dev/null || true";
    read.args(["-c", switches]);
    let here = read.output().unwrap().stdout;
    let mut child = lab(folder.path(), "100", &folder.path().join("record.jsonl")).spawn().unwrap();
    let hub = format!("shoal-lab-{}-hub", child.id());
    wait_for_hosts(&mut child);
    let there = Command::new("ip").args(["netns", "exec", &hub, "sh", "-c", switches]).output().unwrap();
    assert!(there.status.success(), "{there:?}");
    assert!(!there.stdout.contains(&b'1'), "{there:?}");
    interrupt(&mut child);
    assert_eq!(read.output().unwrap().stdout, here);
}

#[test]
fn latency_is_known_for_everything_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_shoal-bench"));
    command.args(["latency", "--requests", "3", "--runs", "1"]);
    command.arg("--folder").arg(folder.path()).arg("--record").arg(&record);
    let (_, output) = finish(piped(command));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "more than the record is left");
    let runs = runs_in(&record);
    for place in ["cold", "peer", "hit", "origin"] {
        for thing in ["manifest", "1kib", "1mib", "4mib"] {
            let name = format!("{place}_{thing}");
            assert_eq!(runs[0].series[&format!("{name}_ms")].len(), 3, "{runs:?}");
            let [first, last] = [format!("{name}_first_byte_p50_ms"), format!("{name}_p99_ms")]
                .map(|name| runs[0].figures[&name]);
            assert!(0.0 < first && first <= last, "{name}: {runs:?}");
        }
    }
}

fn assert_complete(run: &Run) {
    let completions = &run.series["completion_s"];
    assert_eq!(completions.len(), 3, "{run:?}");
    assert!(completions[0] >= BLOB_BYTES / RATE_BYTES_PER_S, "sooner than its link allows: {run:?}");
    assert!(run.figures["link_share"] < 0.97, "links carry more than they should: {run:?}");
    assert!(run.figures["overhead_share"] > 0.0, "{run:?}");
}

fn lab(folder: &Path, runs: &str, record: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shoal-bench"));
    command.args(["lab", "--nodes", "3", "--rate", "200mbit", "--blob", "4MiB", "--start", "cold"]);
    command.args(["--cases", "shoal,whole_layer,direct", "--runs", runs, "--tries", "1"]);
    command.arg("--folder").arg(folder).arg("--record").arg(record);
    piped(command)
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn runs_in(record: &Path) -> Vec<Run> {
    let text = fs::read_to_string(record).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter_map(|line| if let Line::Run(run) = line { Some(run) } else { None }).collect()
}

fn finish(mut command: Command) -> (u32, Output) {
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    wait(&mut child, "its end", |child| child.try_wait().unwrap());
    (pid, child.wait_with_output().unwrap())
}

/// Looks until there is something; a lab that takes too long is asked to end, so that it cleans up.
fn wait<T>(child: &mut Child, what: &str, mut look: impl FnMut(&mut Child) -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look(child) {
            return found;
        }
        if began.elapsed() > WITHIN {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            panic!("waited {WITHIN:?} in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn alone() -> MutexGuard<'static, ()> {
    ONE_LAB_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for_hosts(lab: &mut Child) {
    let hosts = "hub, origin, seed and three nodes";
    wait(lab, hosts, |lab| (namespaces_of(lab.id()).len() == 6).then_some(()));
}

fn interrupt(lab: &mut Child) {
    let status = Command::new("kill").args(["-INT", &lab.id().to_string()]).status().unwrap();
    assert!(status.success());
    let status: ExitStatus = wait(lab, "its end", |lab| lab.try_wait().unwrap());
    assert!(!status.success());
}

/// A network namespace that is removed in the end.
struct Namespace(String);

impl Namespace {
    fn add(name: String) -> Self {
        assert!(Command::new("ip").args(["netns", "add", &name]).status().unwrap().success());
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn processes_in(namespace: &str) -> Vec<u32> {
    let output = Command::new("ip").args(["netns", "pids", namespace]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect()
}

/// Whoever inherits what has ended may take its time to notice.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

fn namespaces_of(pid: u32) -> Vec<String> {
    let prefix = format!("shoal-lab-{pid}-");
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&prefix)).collect()
}
