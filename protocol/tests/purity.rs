//! Keeps the crate pure: no sockets, files, clocks or randomness, neither its own nor through a dependency.
//!
//! `no_std` shuts out the standard library; the lists below shut out crates that would bring one of those back in.
//! Who adds a name here vouches that the crate computes and does nothing else.
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, not in the helpers they share")]

use std::{path::Path, process::Command};

use serde_json::Value;

/// What the crate may name in its manifest.
const ALLOWED_DIRECT: [&str; 9] =
    ["cpufeatures", "ed25519-dalek", "fastrand", "hkdf", "hmac", "sha2", "subtle", "thiserror", "zeroize"];

/// What those may bring along: parts of the same cryptography, and macros that run in the compiler only. `libc` is how
/// `cpufeatures` learns on ARM which instructions the processor has.
const ALLOWED_INDIRECT: [&str; 18] = [
    "block-buffer",
    "cfg-if",
    "cmov",
    "crypto-common",
    "ctutils",
    "curve25519-dalek",
    "curve25519-dalek-derive",
    "digest",
    "ed25519",
    "hybrid-array",
    "libc",
    "proc-macro2",
    "quote",
    "signature",
    "syn",
    "thiserror-impl",
    "typenum",
    "unicode-ident",
];

/// Features that let a crate reach the operating system.
const IMPURE_FEATURES: [&str; 5] = ["std", "getrandom", "os_rng", "sys_rng", "rand"];

#[test]
fn direct_dependencies_are_on_the_list_and_without_default_features() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages.iter().find(|package| package["name"] == env!("CARGO_PKG_NAME")).unwrap();
    let dependencies = own["dependencies"].as_array().unwrap();
    let shipped: Vec<&Value> = dependencies.iter().filter(|dependency| dependency["kind"] != "dev").collect();
    assert!(!shipped.is_empty());
    for dependency in shipped {
        let name = dependency["name"].as_str().unwrap();
        assert!(ALLOWED_DIRECT.contains(&name), "{name} is not on the list of allowed dependencies");
        assert_eq!(dependency["uses_default_features"], false, "{name}: default features may need std");
    }
}

#[test]
fn indirect_dependencies_are_on_the_list_and_have_no_impure_feature() {
    let lines = cargo(&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]);
    for line in lines.lines() {
        let (package, features) = line.split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        let allowed = ALLOWED_DIRECT.iter().chain(&ALLOWED_INDIRECT).chain([&env!("CARGO_PKG_NAME")]);
        assert!(
            allowed.into_iter().any(|known| *known == name),
            "{name} is not on the list of allowed dependencies"
        );
        let impure = features.split(',').find(|feature| IMPURE_FEATURES.contains(&feature.trim()));
        assert_eq!(impure, None, "a feature of {name} that needs an operating system");
    }
}

#[test]
fn the_crate_is_no_std() {
    let root = std::fs::read_to_string(manifest_dir().join("src/lib.rs")).unwrap();
    let lines: Vec<&str> = root.lines().map(str::trim).collect();
    assert!(lines.contains(&"#![no_std]"));
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("extern crate std")) {
        assert_eq!(lines[index - 1], "#[cfg(test)]", "`{line}` would bring the standard library back");
    }
}

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the cargo that runs this test, on this crate, without a network.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(manifest_dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
