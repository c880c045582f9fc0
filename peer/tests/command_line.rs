//! The binary as scripts see it: exit codes, and what goes to which stream.

#![expect(clippy::expect_used, reason = "a helper of a test may say what it expects")]

use std::process::{Command, Output};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn shoal(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shoal"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHOAL_")) {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } = command.args(arguments).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: status.code().expect("it was not killed"), out: text(stdout), err: text(stderr) }
}

fn file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), content).expect("it can be written");
    file
}

#[test]
fn keys_are_made_on_standard_output() {
    let new = shoal(&["key", "new"]);
    assert_eq!((new.code, new.err.as_str(), new.out.lines().count()), (0, "", 1));
    assert_ne!(new.out, shoal(&["key", "new"]).out);
    let full = file(&new.out);
    let member = shoal(&["key", "member", full.path().to_str().expect("a plain path")]);
    assert_eq!((member.code, member.err.as_str()), (0, ""));
    assert_ne!(member.out, new.out);
}

#[test]
fn exit_codes_tell_failures_apart() {
    let wrong = file("this is no key");
    let wrong = wrong.path().to_str().expect("a plain path");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["key", "member", wrong], 1, "holds no cluster key"),
        (&["key", "member", "/nowhere/key"], 3, "/nowhere/key"),
        (&["pear"], 2, "'peer'"),
        (&[], 2, "Example:"),
        (&["peer"], 2, "`shoal key new > cluster.key`"),
        (&["peer", "--config", "/nowhere/shoal.toml"], 2, "/nowhere/shoal.toml"),
        (&["demo", "--image", "not an image"], 2, "names no image"),
    ];
    for (arguments, code, message) in cases {
        let ran = shoal(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "no escape bytes in a pipe: {:?}", ran.err);
    }
}

#[test]
fn the_printed_configuration_is_one() {
    let first = shoal(&["config", "--zone", "a"]);
    assert_eq!(first.code, 0, "{}", first.err);
    let printed = file(&first.out);
    let second = shoal(&["config", "--config", printed.path().to_str().expect("a plain path")]);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end().into()).collect()
    };
    assert_eq!(values(&second.out), values(&first.out));
}

#[test]
fn the_demo_asks_the_origin_once_for_each_blob() {
    let ran = shoal(&["demo", "--peers", "3", "--size", "6MiB", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "no escape bytes in a pipe: {:?}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("one JSON object");
    assert_eq!(report["origin"]["gets_per_blob"], 1.0, "{report}");
    assert_eq!(report["origin"]["blob_bytes"], report["size_bytes"], "{report}");
    assert_eq!(report["peers"].as_array().map(Vec::len), Some(3));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [&["-h"][..], &["peer", "--help"], &["--version"]] {
        let ran = shoal(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        assert!(!ran.out.is_empty());
    }
}
