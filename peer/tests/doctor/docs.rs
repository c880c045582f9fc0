//! The table in the documentation is the list of checks.

use std::{fs, path::Path};

use shoal_peer::doctor;

/// What stands around the table.
const BEGIN: &str = "<!-- checks: written by peer/tests/doctor/docs.rs -->\n";
const END: &str = "<!-- end of checks -->\n";

#[test]
fn the_documentation_has_every_check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let expected = doctor::catalogue(&doctor::all());
    if std::env::var_os("SHOAL_WRITE_DOCS").is_some() {
        return fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    }
    assert_eq!(table, expected, "SHOAL_WRITE_DOCS=1 cargo test -p shoal-peer --test doctor docs writes it");
}
