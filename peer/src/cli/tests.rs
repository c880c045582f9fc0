use clap::{CommandFactory, Parser, error::ErrorKind};

use super::args::Cli;

/// The short help that `shoal <path> -h` prints.
fn short_help(path: &[&str]) -> String {
    let arguments = ["shoal"].iter().chain(path).chain(&["-h"]);
    Cli::try_parse_from(arguments).unwrap_err().to_string()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn short_help_fits_a_small_terminal_and_begins_with_an_example() {
    let commands = ["peer", "seed", "demo", "preheat", "config", "configure", "doctor", "import", "key"];
    let paths = commands.iter().map(std::slice::from_ref);
    for path in std::iter::once(&[][..]).chain(paths) {
        let help = short_help(path);
        assert!(help.lines().count() <= 24, "{path:?}:\n{help}");
        assert!(help.starts_with("Example:"), "{path:?}:\n{help}");
    }
}

#[test]
fn long_help_has_every_flag_with_its_variable() {
    let help = Cli::try_parse_from(["shoal", "peer", "--help"]).unwrap_err().to_string();
    for text in ["--lane-advertise", "SHOAL_LANE_ADVERTISE", "--registry", "[default: 127.0.0.1:5020]"] {
        assert!(help.contains(text), "{text} in\n{help}");
    }
}

#[test]
fn help_is_no_failure_and_a_slip_is() {
    let kind = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap_err();
    assert_eq!(kind(&["shoal", "peer", "-h"]).kind(), ErrorKind::DisplayHelp);
    assert!(!kind(&["shoal", "peer", "-h"]).use_stderr());
    let slip = kind(&["shoal", "peer", "--zome", "a"]);
    assert!(slip.use_stderr() && slip.to_string().contains("--zone"), "{slip}");
}

#[test]
fn the_demo_takes_sizes_as_people_write_them() {
    for size in ["64MiB", "1 GiB", "1000000"] {
        Cli::try_parse_from(["shoal", "demo", "--size", size]).unwrap();
    }
    for wrong in [["--size", "big"], ["--peers", "0"]] {
        Cli::try_parse_from([&["shoal", "demo"], &wrong[..]].concat()).unwrap_err();
    }
}
