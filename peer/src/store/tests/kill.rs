//! A process killed in the middle of its writing. The kernel lives on, so this is about the store's own order of
//! things and its lock; what a power cut does is in `crash`.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{super::*, open, read_piece, sample};

const DIR: &str = "SHOAL_TEST_KILLED_STORE";

#[test]
fn a_killed_process_loses_nothing_it_was_told_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let told = run_and_kill(dir.path(), round, 3 + round as usize * 4);
        let (store, recovered) = open(dir.path(), RealDisk).unwrap();
        assert_eq!((recovered.wrong_blobs, recovered.lost_blobs), (0, 0));
        for line in told {
            let (what, salt) = line.split_once(' ').unwrap();
            check(&store, what, salt.parse().unwrap());
        }
    }
}

fn check(store: &Store, what: &str, salt: u64) {
    let sample = sample(salt);
    match what {
        "completed" => assert!(sample.is_whole_in(store), "{salt}"),
        "recorded" if store.info(&sample.digest).is_none() => {
            let partial = store.begin(&sample.digest, sample.geometry).unwrap();
            assert!([0, 1].iter().all(|piece| partial.unconfirmed().has(*piece)), "{salt}");
            assert!((0..2).all(|piece| read_piece(&partial, piece) == sample.piece(piece)), "{salt}");
        }
        _ => {}
    }
}

/// Runs this test binary's child below until it has told `lines` lines, kills it, and returns what it told.
fn run_and_kill(dir: &Path, round: u64, lines: usize) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store::tests::kill::child", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env("SHOAL_TEST_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut told =
        output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("told ").map(str::to_owned));
    let mut heard: Vec<String> = told.by_ref().take(lines).collect();
    child.kill().unwrap();
    heard.extend(told);
    assert!(!child.wait().unwrap().success());
    assert!(heard.len() >= lines, "the child ended by itself");
    heard
}

#[test]
#[ignore = "runs in a child process that gets killed"]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let round: u64 = env::var("SHOAL_TEST_ROUND").unwrap().parse().unwrap();
    let (store, _) = open(Path::new(&dir), RealDisk).unwrap();
    for salt in (round * 100_000)..((round + 1) * 100_000) {
        let sample = sample(salt);
        let partial = store.begin(&sample.digest, sample.geometry).unwrap();
        (0..2).for_each(|piece| partial.write_piece(piece, sample.piece(piece)).unwrap());
        partial.record(&[0, 1], b"half").unwrap();
        println!("\ntold recorded {salt}");
        (2..4).for_each(|piece| partial.write_piece(piece, sample.piece(piece)).unwrap());
        partial.complete(b"whole", None).unwrap();
        println!("\ntold completed {salt}");
    }
}
